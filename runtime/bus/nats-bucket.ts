/**
 * A bucket of keys on JetStream: the same subjects and headers as NATS's own key-value convention, so that `nats kv`
 * reads it, but every write may carry both an expected revision and a time to live, which the stock client cannot.
 * @module
 */
import { headers } from '@nats-io/transport-node'
import { isVolleyError, VolleyError } from '../errors.ts'
import type { Body, Bucket, BucketName, Entry, PutOptions, Subscription } from './bus.ts'
import { fromJetStream } from './nats-errors.ts'
import { API_TIMEOUT_MS, type Link, whileOpen } from './nats-link.ts'
import { MARKER_TTL_MS, streamOfBucket } from './nats-streams.ts'
import { isGone, toEntry, watchBucket } from './nats-watch.ts'
import { BUCKETS } from './topology.ts'

/** A key may age away between our look and our write, so the expectation "not there" is tried more than once. */
const CREATE_TRIES = 3

/** Whole seconds, at least one: what the server's TTL header takes. */
export const ttlHeader = (ttlMs: number): string => `${Math.max(1, Math.ceil(ttlMs / 1000))}s`

/** One bucket of `topology.ts`. Its stream must be there: `setUp()`. */
export function natsBucket(link: Link, name: BucketName): Bucket {
  const { js, jsm } = link
  const stream = streamOfBucket(name)

  function subjectOf(key: string): string {
    if (/^[-/_=.a-zA-Z0-9]+$/.test(key) && !/^\.|\.$|\.\./.test(key)) return `$KV.${name}.${key}`
    throw new VolleyError('internal', `"${key}" is not a key of ${name}: letters, digits and - / _ = . are`)
  }

  async function write(
    key: string,
    value: Body,
    { expect, ttlMs, timeoutMs = API_TIMEOUT_MS }: PutOptions,
  ): Promise<number> {
    const what = `writing ${name}/${key}`
    const options = {
      timeout: timeoutMs,
      ...(expect === undefined ? {} : { expect: { lastSubjectSequence: expect } }),
      ...(ttlMs === undefined ? {} : { ttl: ttlHeader(ttlMs) }),
    }
    try {
      const { seq } = await whileOpen(link, what, undefined, () => js.publish(subjectOf(key), value, options))
      return seq
    } catch (error) {
      throw fromJetStream(error, what)
    }
  }

  async function newest(key: string): Promise<{ entry: Entry | undefined; revision: number }> {
    const what = `reading ${name}/${key}`
    const last_by_subj = subjectOf(key)
    try {
      const stored = await whileOpen(link, what, undefined, () => jsm.direct.getMessage(stream, { last_by_subj }))
      if (stored === null) return { entry: undefined, revision: 0 }
      const gone = isGone(stored.header)
      return { entry: gone ? undefined : toEntry(key, stored.data, stored.seq), revision: stored.seq }
    } catch (error) {
      throw fromJetStream(error, what)
    }
  }

  /** "Must not exist" also holds where only the note of a deletion is left, which has a revision of its own. */
  async function create(key: string, value: Body, options: PutOptions): Promise<number> {
    let expect = 0
    for (let attempt = 1;; attempt++) {
      try {
        return await write(key, value, { ...options, expect })
      } catch (error) {
        if (!isVolleyError(error, 'bus_conflict') || attempt === CREATE_TRIES) throw error
        const { entry, revision } = await newest(key)
        if (entry) throw error
        expect = revision
      }
    }
  }

  const watch = (onChange: (key: string, entry: Entry | undefined) => void): Promise<Subscription> =>
    watchBucket(link, name, onChange)

  return {
    get: async (key) => (await newest(key)).entry,
    put: (
      key,
      value,
      options = {},
    ) => (options.expect === 0 ? create(key, value, options) : write(key, value, options)),
    async delete(key) {
      const what = `deleting ${name}/${key}`
      const head = headers()
      const { ttl } = BUCKETS[name]
      head.set('KV-Operation', ttl ? 'PURGE' : 'DEL')
      if (ttl) {
        head.set('Nats-Rollup', 'sub')
        head.set('Nats-TTL', ttlHeader(MARKER_TTL_MS))
      }
      try {
        await whileOpen(link, what, undefined, () => js.publish(subjectOf(key), '', { headers: head }))
      } catch (error) {
        throw fromJetStream(error, what)
      }
    },
    async keys() {
      const keys: string[] = []
      const subscription = await watch((key, entry) => entry && keys.push(key))
      subscription.unsubscribe()
      return keys
    },
    watch,
  }
}
