/**
 * A local HTTP server for tests that download: files with ranges, and the ways in which connections fail.
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** A running server. */
export interface TestServer {
  url: string
  /** `METHOD path range`, in order. */
  requests: string[]
  close(): Promise<void>
}

/** Starts one that answers with `answer`. */
export async function testServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<TestServer> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim())
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Sends bytes as a server with ranges does; `breakAfter` = cuts the connection after so many bytes. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  breakAfter = Infinity,
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (from > 0 && from >= bytes.length) return void response.writeHead(416).end()
  const rest = bytes.subarray(from)
  const range = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length, ...range })
  if (rest.length <= breakAfter) return void response.end(rest)
  response.write(rest.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 20))
}
