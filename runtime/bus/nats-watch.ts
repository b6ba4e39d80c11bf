/**
 * Watching a bucket across lost connections: after every break all values are read anew and compared, so that a key
 * that went while nobody looked is reported as gone, and nothing is reported twice.
 * @module
 */
import type { MsgHdrs } from '@nats-io/transport-node'
import { sleep } from '../clock.ts'
import { VolleyError } from '../errors.ts'
import type { BucketName, Entry, Subscription } from './bus.ts'
import { closedError, fromJetStream } from './nats-errors.ts'
import { openFeed } from './nats-feed.ts'
import { API_TIMEOUT_MS, type Link } from './nats-link.ts'
import { streamOfBucket } from './nats-streams.ts'

const RETRY_MS = 100
/** Starting a watch is a call like another, with time for a large bucket on top. */
const START_TIMEOUT_MS = API_TIMEOUT_MS * 5

/** True for the note that a key was deleted or has aged out. */
export const isGone = (head: MsgHdrs | undefined): boolean =>
  head !== undefined && (/^(DEL|PURGE)$/.test(head.get('KV-Operation')) || head.get('Nats-Marker-Reason') !== '')

export function toEntry(key: string, value: Uint8Array, revision: number): Entry {
  return { key, value, revision, json: <T>() => JSON.parse(new TextDecoder().decode(value)) as T }
}

/** Resolves when the present values were delivered; rejects `bus_timeout` when that takes too long. */
export async function watchBucket(
  link: Link,
  name: BucketName,
  onChange: (key: string, entry: Entry | undefined) => void,
): Promise<Subscription> {
  const { clock } = link
  const known = new Map<string, number>()
  const prefix = `$KV.${name}.`
  const life = new AbortController()
  const started = Promise.withResolvers<void>()
  let isStarted = false
  let stopFeed = (): void => undefined

  function unsubscribe(): void {
    life.abort()
    stopFeed()
  }

  function change(key: string, revision: number, entry: Entry | undefined): void {
    if (life.signal.aborted) return
    if (entry) {
      if (known.get(key) === revision) return
      known.set(key, revision)
    } else if (!known.delete(key)) return
    onChange(key, entry)
  }

  /** One feed, from its start to its break. */
  async function feed(): Promise<void> {
    const seen = new Set<string>()
    let present = false
    const broken = Promise.withResolvers<void>()
    stopFeed = await openFeed(link, {
      stream: streamOfBucket(name),
      filter: `${prefix}>`,
      start: 'newest',
      onMessage({ subject, data, seq, headers }) {
        const key = subject.slice(prefix.length)
        if (!present) seen.add(key)
        change(key, seq, isGone(headers) ? undefined : toEntry(key, data, seq))
      },
      onPresent() {
        present = true
        for (const key of [...known.keys()]) if (!seen.has(key)) change(key, 0, undefined)
        isStarted = true
        started.resolve()
      },
      onBroken: broken.resolve,
    })
    if (life.signal.aborted) return stopFeed()
    const onAbort = (): void => broken.resolve()
    life.signal.addEventListener('abort', onAbort, { once: true })
    await broken.promise
    life.signal.removeEventListener('abort', onAbort)
  }

  async function keepOn(): Promise<void> {
    while (!life.signal.aborted) {
      try {
        await feed()
      } catch (cause) {
        const error = fromJetStream(cause, `watching ${name}`)
        if (!isStarted && error.code !== 'bus_timeout') return started.reject(error)
        await sleep(clock, RETRY_MS, life.signal).catch(() => undefined)
      }
    }
  }

  const offClosed = link.onClosed(() => {
    started.reject(closedError(`watching ${name}`))
    unsubscribe()
  })
  life.signal.addEventListener('abort', offClosed, { once: true })
  void keepOn()
  const cancelTimer = clock.setTimer(
    START_TIMEOUT_MS,
    () => started.reject(new VolleyError('bus_timeout', `The present values of ${name} did not come in time`)),
  )
  try {
    await started.promise
  } catch (error) {
    unsubscribe()
    throw error
  } finally {
    cancelTimer()
  }
  return { unsubscribe }
}
