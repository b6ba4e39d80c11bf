/**
 * Stored events under a filter, oldest first, read once from the beginning.
 * @module
 */
import { VolleyError } from '../errors.ts'
import { fromJetStream } from './nats-errors.ts'
import { openFeed } from './nats-feed.ts'
import { API_TIMEOUT_MS, type Link, whileOpen } from './nats-link.ts'
import { EVENTS } from './topology.ts'

/** Errors: `bus_timeout` (also when the connection broke in between: ask again). */
export async function readHistory(
  link: Link,
  filter: string,
): Promise<{ subject: string; seq: number; data: Uint8Array }[]> {
  const what = `history of ${filter}`
  const found: { subject: string; seq: number; data: Uint8Array }[] = []
  const done = Promise.withResolvers<void>()
  const broken = (): void => done.reject(new VolleyError('bus_timeout', `The connection broke during ${what}`))
  const cancelTimer = link.clock.setTimer(API_TIMEOUT_MS * 5, broken)
  done.promise.catch(() => undefined)
  let stop = (): void => undefined
  try {
    stop = await openFeed(link, {
      stream: EVENTS,
      filter,
      start: 'all',
      onMessage: ({ subject, seq, data }) => found.push({ subject, seq, data }),
      onPresent: done.resolve,
      onBroken: broken,
    })
    await whileOpen(link, what, undefined, () => done.promise)
    return found
  } catch (error) {
    throw fromJetStream(error, what)
  } finally {
    cancelTimer()
    stop()
  }
}
