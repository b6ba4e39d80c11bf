/**
 * Serves offers over the bus: to open, to fetch a piece, to close, and the words `renew` and `complete`, which go over
 * the bus whatever way the bytes went. Needs no port of its own; slow, and it always works.
 * @module
 */
import type { Bus, Message } from '../bus/bus.ts'
import { type Clock, sleep } from '../clock.ts'
import type { Credentials, Grant, Offers, Refusal } from './offers.ts'

/** What a receiver asks the owner. `session` is the receiver's own secret for one pull. */
export type ChunkRequest =
  | ({ op: 'open'; session: string } & Credentials)
  | { op: 'chunk'; session: string; at: number; length: number }
  | { op: 'close'; session: string }
  | ({ op: 'renew' | 'complete' } & Credentials)

/** The answer to `open`. `wait`: not ready, ask again. */
export type OpenAnswer = { bytes: number; digest: string } | { wait: true } | { refused: Refusal }

/** An `open` is answered within this, ready or not. */
const OPEN_PATIENCE_MS = 500

interface Session {
  readonly opened: Promise<Grant | Refusal>
  grant: Grant | undefined
  readonly abort: AbortController
  cancelStall: () => void
}

/** Serves until the returned function is called. `stallMs`: a receiver silent for so long is given up. */
export function serveChunks(bus: Bus, subject: string, offers: Offers, clock: Clock, stallMs: number): () => void {
  const sessions = new Map<string, Session>()
  const patienceMs = Math.min(OPEN_PATIENCE_MS, stallMs / 4)

  function drop(name: string, how: 'sent' | 'failed'): void {
    const session = sessions.get(name)
    if (!session) return
    sessions.delete(name)
    session.cancelStall()
    if (session.grant) session.grant[how]()
    else session.abort.abort(new Error('the receiver has gone'))
  }

  function heard(name: string, session: Session): void {
    session.cancelStall()
    session.cancelStall = clock.setTimer(stallMs, () => drop(name, 'failed'))
  }

  function begin(name: string, credentials: Credentials): Session {
    const abort = new AbortController()
    const opened = offers.open(credentials, abort.signal)
    const session: Session = { opened, grant: undefined, abort, cancelStall: () => undefined }
    sessions.set(name, session)
    void opened.then((answer) => {
      if (typeof answer === 'string') drop(name, 'failed')
      else if (sessions.get(name) !== session) answer.failed()
      else {
        session.grant = answer
        answer.signal.addEventListener('abort', () => drop(name, 'failed'), { once: true })
      }
    })
    return session
  }

  async function open(name: string, credentials: Credentials, message: Message): Promise<void> {
    const session = sessions.get(name) ?? begin(name, credentials)
    heard(name, session)
    const answer = await Promise.race([session.opened, sleep(clock, patienceMs)])
    const said: OpenAnswer = answer === undefined
      ? { wait: true }
      : typeof answer === 'string'
      ? { refused: answer }
      : { bytes: answer.bytes.length, digest: answer.digest }
    message.respond(JSON.stringify(said))
  }

  function chunk(name: string, at: number, length: number, message: Message): void {
    const session = sessions.get(name)
    // No piece is empty: so an empty answer says that there is no such pull any more.
    if (!session?.grant) return message.respond('')
    heard(name, session)
    message.respond(session.grant.bytes.subarray(at, at + length))
  }

  const subscription = bus.subscribe(subject, (message) => {
    const request = message.json<ChunkRequest>()
    switch (request.op) {
      case 'open':
        return void open(request.session, request, message)
      case 'chunk':
        return chunk(request.session, request.at, request.length, message)
      case 'close':
        return drop(request.session, 'sent')
      case 'renew':
        return message.respond(JSON.stringify({ ok: offers.renew(request) }))
      case 'complete':
        return message.respond(JSON.stringify({ ok: offers.complete(request) }))
    }
  })
  return () => {
    subscription.unsubscribe()
    for (const name of [...sessions.keys()]) drop(name, 'failed')
  }
}
