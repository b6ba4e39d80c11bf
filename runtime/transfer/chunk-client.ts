/**
 * Pulls over the bus: pieces by request and answer, several under way at a time, each asked for again when its answer
 * does not come. The window is the receiver's flow control.
 * @module
 */
import type { Bus, Message } from '../bus/bus.ts'
import { isVolleyError } from '../errors.ts'
import { newSecret } from '../ids.ts'
import type { ChunkRequest, OpenAnswer } from './chunk-server.ts'
import { brokenError, refusedError } from './failure.ts'
import type { Credentials } from './offers.ts'

const CHUNK_BYTES = 512 << 10
/** 4 MiB under way. */
const WINDOW = 8
/** One piece, or one word. */
const REQUEST_TIMEOUT_MS = 2_000
const TRIES = 5

export interface ChunkPull {
  bus: Bus
  subject: string
  credentials: Credentials
  destination: Uint8Array
  signal: AbortSignal
}

/** Resolves with the digest that the owner gave. Errors: `transfer_failed`, `cancelled`. */
export async function pullChunks(
  { bus, subject, credentials, destination, signal: given }: ChunkPull,
): Promise<string> {
  const session = newSecret()
  // One piece that fails stops the others.
  const stop = new AbortController()
  const signal = AbortSignal.any([given, stop.signal])
  const ask = (request: ChunkRequest) => asked(bus, subject, request, signal, TRIES)
  try {
    const digest = await open()
    let at = 0
    const fetchOn = async (): Promise<void> => {
      while (at < destination.length) {
        const start = at
        const length = Math.min(CHUNK_BYTES, destination.length - start)
        at += length
        const { data } = await ask({ op: 'chunk', session, at: start, length })
        if (data.length !== length) throw brokenError('the owner ended the transfer')
        destination.set(data, start)
      }
    }
    await Promise.all(Array.from({ length: WINDOW }, fetchOn))
    return digest
  } finally {
    stop.abort()
    bus.publish(subject, JSON.stringify({ op: 'close', session } satisfies ChunkRequest))
  }

  async function open(): Promise<string> {
    for (;;) {
      const answer = (await ask({ op: 'open', session, ...credentials })).json<OpenAnswer>()
      if ('refused' in answer) throw refusedError(answer.refused)
      if ('wait' in answer) continue
      if (answer.bytes === destination.length) return answer.digest
      throw brokenError(`the owner has ${answer.bytes} bytes, the ticket says ${destination.length}`)
    }
  }
}

/** `renew` and `complete`: true when the owner said yes. Not heard = no. */
export async function tellOwner(bus: Bus, subject: string, request: ChunkRequest): Promise<boolean> {
  try {
    return (await asked(bus, subject, request, undefined, 1)).json<{ ok: boolean }>().ok
  } catch (error) {
    if (isVolleyError(error, 'transfer_failed')) return false
    throw error
  }
}

/** Every request may be repeated: the owner answers the same again. */
async function asked(
  bus: Bus,
  subject: string,
  request: ChunkRequest,
  signal: AbortSignal | undefined,
  tries: number,
): Promise<Message> {
  const options = { timeoutMs: REQUEST_TIMEOUT_MS, ...(signal ? { signal } : {}) }
  for (let attempt = 1;; attempt++) {
    try {
      return await bus.request(subject, JSON.stringify(request), options)
    } catch (error) {
      if (isVolleyError(error, 'cancelled')) throw error
      if (isVolleyError(error, 'bus_timeout') && attempt < tries) continue
      throw brokenError(`the owner does not answer on ${subject}`, error)
    }
  }
}
