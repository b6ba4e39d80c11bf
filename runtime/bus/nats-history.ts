/**
 * Stored messages under a filter, oldest first, read once from the beginning: events, or all that is kept of a bucket's key.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { BucketName } from './bus.ts'
import { fromJetStream } from './nats-errors.ts'
import { openFeed } from './nats-feed.ts'
import { API_TIMEOUT_MS, type Link, whileOpen } from './nats-link.ts'
import { streamOfBucket } from './nats-streams.ts'
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
      stream: filter.startsWith('$KV.') ? streamOfBucket(filter.split('.')[1] as BucketName) : EVENTS,
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
