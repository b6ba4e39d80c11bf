/**
 * Pulling hops: one request to the server at a time, for as many as there are free slots, so that nothing waits in a
 * process that is busy. Whatever arrives after the puller has gone is given back at once.
 * @module
 */
import { createInbox, type Msg, nanos } from '@nats-io/transport-node'
import { sleep } from '../clock.ts'
import { VolleyError } from '../errors.ts'
import type { Delivery } from './bus.ts'
import { closedError } from './nats-errors.ts'
import type { Link } from './nats-link.ts'
import { HOPS } from './topology.ts'

/** After a hop of a batch, the next is there within this, or not in this batch. */
const LINGER_MS = 20
/** The server says itself when a pull has expired; this much later we stop waiting for that word. */
const GRACE_MS = 250
/** Pause before asking a server again that has no leader for the consumer, or no consumer. */
const RETRY_MS = 100

type Outcome = Delivery[] | 'expired' | 'reconnected' | 'unavailable'

export interface PullOptions {
  max: number
  expiresMs: number
  signal?: AbortSignal | undefined
}

/** Up to `max` hops of a consumer, as soon as there is one. `restore` is called where the server has lost the consumer. */
export async function pull(
  link: Link,
  phase: string,
  options: PullOptions,
  restore: () => Promise<void>,
): Promise<Delivery[]> {
  const { clock } = link
  const end = clock.monotonic() + options.expiresMs
  for (;;) {
    const leftMs = end - clock.monotonic()
    if (leftMs <= 0) return []
    const outcome = await pullOnce(link, phase, { ...options, expiresMs: leftMs })
    if (Array.isArray(outcome)) return outcome
    if (outcome === 'expired') return []
    if (outcome === 'unavailable') {
      await sleep(clock, Math.min(RETRY_MS, leftMs), options.signal).catch(() => undefined)
      if (options.signal?.aborted) return []
      await restore().catch((error: unknown) => {
        if (!(error instanceof VolleyError && error.code === 'bus_timeout')) throw error
      })
    }
  }
}

function pullOnce(link: Link, phase: string, { max, expiresMs, signal }: PullOptions): Promise<Outcome> {
  const { nc, clock } = link
  if (signal?.aborted) return Promise.resolve('expired')
  if (link.closed) return Promise.reject(closedError(`pulling ${phase}`))
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
  const got: Delivery[] = []
  const undo: (() => void)[] = []
  let over = false
  let stopLinger = (): void => undefined

  /** `served`: the server has nothing more for this request, so the inbox may go at once. */
  function finish(outcome: Outcome | VolleyError, served: boolean): void {
    if (over) return
    over = true
    stopLinger()
    for (const step of undo) step()
    if (served || link.closed) subscription.unsubscribe()
    else void subscription.drain()
    if (got.length > 0 && !(outcome instanceof VolleyError)) resolve(got)
    else if (outcome instanceof VolleyError) {
      for (const delivery of got) giveBack(link, delivery.ackSubject)
      reject(outcome)
    } else resolve(outcome)
  }

  const subscription = nc.subscribe(createInbox(), {
    callback(error, message) {
      if (error) {
        return finish(new VolleyError('internal', `Cannot pull ${phase}: ${error.message}`, { cause: error }), true)
      }
      const status = message.headers?.code ?? 0
      if (status !== 0) return finish(status === 404 || status === 408 ? 'expired' : 'unavailable', true)
      if (over) return giveBack(link, message.reply ?? '')
      const { delivery, waiting } = toDelivery(message)
      got.push(delivery)
      if (got.length === max) return finish(got, true)
      // Counted are hops that wait for their first delivery, and not to the last: more may be on their way.
      if (waiting === 0 && delivery.delivery === 1) return finish(got, false)
      stopLinger()
      stopLinger = clock.setTimer(LINGER_MS, () => finish(got, false))
    },
  })
  const onAbort = (): void => finish('expired', false)
  signal?.addEventListener('abort', onAbort, { once: true })
  undo.push(
    () => signal?.removeEventListener('abort', onAbort),
    clock.setTimer(expiresMs + GRACE_MS, () => finish('expired', false)),
    link.onReconnect(() => finish('reconnected', true)),
    link.onClosed(() => finish(closedError(`pulling ${phase}`), true)),
  )
  // With both, the server hands out what is there, or else waits for one hop: a hop never waits for the batch to fill.
  const ask = { batch: max, no_wait: true, expires: nanos(Math.max(1, Math.floor(expiresMs))) }
  nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${HOPS}.${phase}`, JSON.stringify(ask), { reply: subscription.getSubject() })
  return promise
}

function giveBack({ nc, closed }: Link, ackSubject: string): void {
  if (ackSubject && !closed) nc.publish(ackSubject, '-NAK')
}

function toDelivery(message: Msg): { delivery: Delivery; waiting: number } {
  const ackSubject = message.reply ?? ''
  const { seq, delivery, waiting } = parseAckSubject(ackSubject)
  return {
    delivery: {
      subject: message.subject,
      data: message.data,
      seq,
      delivery,
      ackSubject,
      json: <T>() => message.json<T>(),
    },
    waiting,
  }
}

/**
 * `$JS.ACK.<stream>.<consumer>.<delivery>.<stream seq>.<consumer seq>.<time>.<pending>`; servers with domains put
 * `<domain>.<account>` before the stream, and may add tokens at the end.
 */
export function parseAckSubject(
  subject: string,
): { delivery: number; seq: number; consumerSeq: number; waiting: number } {
  const tokens = subject.split('.')
  const [delivery, seq, consumerSeq, , waiting] = tokens.slice(tokens.length === 9 ? 4 : 6).map(Number)
  return { delivery: delivery ?? 0, seq: seq ?? 0, consumerSeq: consumerSeq ?? 0, waiting: waiting ?? 0 }
}
