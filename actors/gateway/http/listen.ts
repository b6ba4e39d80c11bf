/**
 * The one file that opens a socket for HTTP. What the parser below the app refuses is answered in the same error shape.
 * @module
 */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { VolleyError } from '../../../runtime/errors.ts'
import { errorBody, errorResponse } from './errors.ts'

export interface ListenOptions {
  app: Hono
  /** 0 = a free one. */
  port: number
  host: string
  /** Longest wait for a request to arrive, headers and body. @default {60000} */
  arrivalMs?: number
}

export interface Listening {
  /** `http://HOST:PORT`. */
  url: string
  port: number
  /** Takes no new connections; resolves when the open ones have ended. `force` ends them now. */
  close(options?: { force?: boolean }): Promise<void>
}

/**
 * Idle connections live longer than the 60 s that proxies keep theirs, and than the 5 s that are Node's: a server that
 * closes one loses the request that the client has just sent on it.
 */
const KEEP_ALIVE_MS = 75_000

/** While closing, idle connections are ended so often. */
const SWEEP_MS = 50

/** Serves an app. Error: `port_taken`. */
export async function listen({ app, port, host, arrivalMs = 60_000 }: ListenOptions): Promise<Listening> {
  const handler = getRequestListener(app.fetch, {
    hostname: host,
    errorHandler: (error) =>
      errorResponse(
        new VolleyError(
          'invalid_request',
          `Cannot read the request: ${error instanceof Error ? error.message : error}`,
        ),
      ),
  })
  const timeouts = {
    requestTimeout: arrivalMs,
    headersTimeout: Math.min(arrivalMs, 20_000),
    connectionsCheckingInterval: Math.min(arrivalMs, 5_000),
    keepAliveTimeout: KEEP_ALIVE_MS,
  }
  // Node would refuse a missing host and an odd expectation by itself, but without a body.
  const server = createServer({ ...timeouts, requireHostHeader: false }, (request, response) => {
    if (request.headers.host !== undefined || request.httpVersion === '1.0') void handler(request, response)
    else refuse(response, 400, 'The "host" header is missing')
  })
  server.on(
    'checkExpectation',
    (request, response) => refuse(response, 417, `Cannot meet the expectation "${request.headers.expect}"`),
  )
  server.on('clientError', answerGarbage)
  await bind(server, port, host)
  const { port: bound } = server.address() as AddressInfo
  const shownHost = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${shownHost}:${bound}`,
    port: bound,
    close: ({ force = false } = {}) =>
      new Promise((resolve) => {
        // A connection that is kept alive becomes idle only when its last answer has ended.
        const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
        server.close(() => {
          clearInterval(sweep)
          resolve()
        })
        if (force) server.closeAllConnections()
      }),
  }
}

function bind(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE'
      const what = taken ? 'is taken' : `cannot be listened on (${cause.code})`
      reject(
        new VolleyError('port_taken', `Port ${port} on ${host} ${what}`, {
          remedy: 'choose another with --port, 0 = any free one',
          cause,
        }),
      )
    })
    server.listen(port, host, resolve)
  })
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(errorBody(new VolleyError('invalid_request', message))))
}

/** What is not HTTP, or came too slowly, never reaches the app. */
function answerGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const told = late
    ? new VolleyError('request_timeout', 'The request did not arrive in time')
    : new VolleyError('invalid_request', `Cannot read the request as HTTP (${error.code ?? error.message})`)
  const body = JSON.stringify(errorBody(told))
  const status = late ? '408 Request Timeout' : '400 Bad Request'
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${
    Buffer.byteLength(body)
  }\r\nconnection: close`
  socket.end(`${head}\r\n\r\n${body}`)
}
