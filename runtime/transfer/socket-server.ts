/**
 * Serves offers over stream sockets, unix and TCP alike: one request a connection, then its bytes in slices that the
 * peer's reading paces. A peer that stops reading is given up.
 * @module
 */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { decodeRequest, encodeGo, encodeRefusal, encodeWait } from './frames.ts'
import type { Grant, Offers } from './offers.ts'

/** Large enough to keep the socket busy, small enough to notice a dead or superseded peer soon. */
const SLICE_BYTES = 1 << 20
const MAX_CONNECTIONS = 256

export interface SocketServer {
  /** 0 on a unix socket. */
  port: number
  close(): Promise<void>
}

/** Listens until closed. `stallMs`: how long a peer may make no progress. */
export async function serveSockets(offers: Offers, listen: ListenOptions, stallMs: number): Promise<SocketServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(offers, socket, stallMs)
  })
  server.maxConnections = MAX_CONNECTIONS
  await listening(server, listen)
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      return closed
    },
  }
}

function listening(server: Server, listen: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function serve(offers: Offers, socket: Socket, stallMs: number): void {
  const gone = new AbortController()
  let request = Buffer.alloc(0)
  // Every socket ends in `close`, with or without an error before; that is where it is dealt with.
  socket.on('error', () => undefined)
  socket.once('close', () => gone.abort(new Error('the peer has gone')))
  socket.setTimeout(stallMs, () => socket.destroy())
  socket.setNoDelay(true)
  const onData = (data: Buffer): void => {
    request = Buffer.concat([request, data])
    const credentials = decodeRequest(request)
    if (credentials === undefined) return
    socket.off('data', onData)
    // Goes on reading, so that the peer's end is noticed.
    socket.resume()
    if (credentials === 'invalid') return void socket.destroy()
    // While the bytes are not ready the peer hears that it is not forgotten.
    const waiting = setInterval(() => socket.write(encodeWait()), stallMs / 4)
    void offers.open(credentials, gone.signal).then((answer) => {
      clearInterval(waiting)
      if (typeof answer !== 'string') send(socket, answer)
      else socket.end(encodeRefusal(answer))
    })
  }
  socket.on('data', onData)
}

function send(socket: Socket, grant: Grant): void {
  const { bytes, digest, signal } = grant
  const onAbort = (): void => {
    socket.destroy()
    grant.failed()
  }
  if (signal.aborted) return onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  let at = 0
  const next = (error?: Error | null): void => {
    if (error || signal.aborted) return
    if (at === bytes.length) {
      signal.removeEventListener('abort', onAbort)
      grant.sent()
      socket.end()
      return
    }
    const slice = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(SLICE_BYTES, bytes.length - at))
    at += slice.length
    socket.write(slice, next)
  }
  socket.write(encodeGo(bytes.length, digest), next)
}
