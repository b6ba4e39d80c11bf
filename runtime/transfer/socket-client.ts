/**
 * Pulls over a stream socket: the kernel writes straight into the destination, because every read is given exactly the
 * memory that the next bytes belong in.
 * @module
 */
import { connect, type IpcNetConnectOpts, type TcpNetConnectOpts } from 'node:net'
import { brokenError, refusedError } from './failure.ts'
import { ANSWER_HEAD_BYTES, decodeAnswerHead, encodeRequest } from './frames.ts'
import type { Credentials } from './offers.ts'

/** Most bytes one read may bring. */
const READ_BYTES = 1 << 20

export interface SocketPull {
  /** Where; the same names as for `net.connect`. */
  to: Pick<TcpNetConnectOpts, 'host' | 'port'> | Pick<IpcNetConnectOpts, 'path'>
  credentials: Credentials
  /** Filled from its start to its end. */
  destination: Uint8Array
  /** No byte for so long: the peer is taken as dead. */
  stallMs: number
  signal: AbortSignal
}

/** Resolves with the digest that the owner gave. Errors: `transfer_failed`; the signal's reason. */
export function pullSocket({ to, credentials, destination, stallMs, signal }: SocketPull): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  if (signal.aborted) return Promise.reject(signal.reason)
  let area: Buffer = Buffer.alloc(ANSWER_HEAD_BYTES)
  let got = 0
  let part: 'head' | 'digest' | 'bytes' = 'head'
  let digest = ''

  function expect(next: typeof part, memory: Buffer): void {
    part = next
    area = memory
    got = 0
  }

  /** The memory of this part is full. */
  function filled(): void {
    if (part === 'digest') {
      digest = area.toString('utf8')
      const { buffer, byteOffset, length } = destination
      return length === 0 ? finish() : expect('bytes', Buffer.from(buffer, byteOffset, length))
    }
    if (part === 'bytes') return finish()
    const head = decodeAnswerHead(area)
    if (head === undefined) return finish(brokenError('the peer speaks something else'))
    if (head.kind === 'wait') return expect('head', area)
    if (head.kind !== 'go') return finish(refusedError(head.kind))
    if (head.bytes !== destination.length || head.digestBytes === 0) {
      return finish(brokenError(`the owner sends ${head.bytes} bytes, the ticket says ${destination.length}`))
    }
    expect('digest', Buffer.alloc(head.digestBytes))
  }

  const socket = connect({
    ...to,
    onread: {
      buffer: () => area.subarray(got, Math.min(area.length, got + READ_BYTES)),
      callback(bytes) {
        got += bytes
        if (got === area.length) filled()
        return true
      },
    },
  })
  const onAbort = (): void => finish(signal.reason)
  function finish(error?: unknown): void {
    signal.removeEventListener('abort', onAbort)
    // Whatever still comes must not be written where the receiver reads.
    expect('head', Buffer.alloc(ANSWER_HEAD_BYTES))
    socket.destroy()
    if (error === undefined) resolve(digest)
    else reject(error)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  socket.setTimeout(stallMs, () => finish(brokenError(`nothing came for ${stallMs} ms`)))
  socket.on('error', (error) => finish(brokenError(`the connection failed: ${error.message}`, error)))
  socket.once('close', () => finish(brokenError('the connection ended too early')))
  socket.setNoDelay(true)
  socket.write(encodeRequest(credentials))
  return promise
}
