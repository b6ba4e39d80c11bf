/**
 * Questions about what is read again: events and buckets.
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { Bus, Entry } from '../../../runtime/bus/bus.ts'
import { subjects } from '../../../runtime/bus/subjects.ts'
import { newId } from '../../../runtime/ids.ts'
import { code, type Exam, text } from './exam.ts'

/** History and buckets. */
export function storeQuestions(exam: Exam): void {
  describe('history()', () => {
    it('tells the events of one request, oldest first', async () => {
      const [one, two] = [newId('req'), newId('req')]
      await exam.during(exam.bus.append(subjects.event(one, 'admitted'), '{"n":1}'))
      await exam.during(exam.bus.append(subjects.event(two, 'admitted'), '{"n":2}'))
      await exam.during(exam.other.append(subjects.event(one, 'done'), '{"n":3}'))
      const told = await exam.during(exam.other.history(subjects.eventsOfRequest(one)))
      expect(told.map(({ subject, data }) => [subject, text(data)])).toEqual([
        [subjects.event(one, 'admitted'), '{"n":1}'],
        [subjects.event(one, 'done'), '{"n":3}'],
      ])
      expect(told[1]!.seq).toBeGreaterThan(told[0]!.seq)
    })

    it('of an unknown request is empty', async () => {
      expect(await exam.during(exam.bus.history(subjects.eventsOfRequest(newId('req'))))).toEqual([])
    })
  })

  describe('bucket()', () => {
    const watched = async (bucket: ReturnType<Bus['bucket']>) => {
      const changes: [string, Entry | undefined][] = []
      const subscription = await exam.during(bucket.watch((key, entry) => changes.push([key, entry])))
      return { of: (key: string) => changes.filter(([name]) => name === key).map(([, entry]) => entry), subscription }
    }

    it('get() brings what put() stored, or undefined', async () => {
      const bucket = exam.bus.bucket('volley_requests')
      const key = newId('req')
      expect(await exam.during(bucket.get(key))).toBeUndefined()
      const revision = await exam.during(bucket.put(key, '{"state":"queued"}'))
      const entry = await exam.during(exam.other.bucket('volley_requests').get(key))
      expect([entry!.key, entry!.revision, entry!.json()]).toEqual([key, revision, { state: 'queued' }])
    })

    it('put() with the revision read wins once; the loser gets bus_conflict and changes nothing', async () => {
      const key = newId('req')
      const [one, two] = [exam.bus.bucket('volley_requests'), exam.other.bucket('volley_requests')]
      const revision = await exam.during(one.put(key, '{"n":0}', { expect: 0 }))
      const outcomes = await exam.during(
        Promise.all(
          [one, two].map((bucket, n) =>
            bucket.put(key, `{"n":${n + 1}}`, { expect: revision }).then(() => 'won', code)
          ),
        ),
      )
      expect([...outcomes].sort()).toEqual(['bus_conflict', 'won'])
      const entry = await exam.during(one.get(key))
      expect(entry!.json()).toEqual({ n: outcomes.indexOf('won') + 1 })
    })

    it('put() expecting 0 fails on an existing key, and works after a delete', async () => {
      const bucket = exam.bus.bucket('volley_requests')
      const key = newId('req')
      await exam.during(bucket.put(key, '1', { expect: 0 }))
      expect(await exam.rejection(bucket.put(key, '2', { expect: 0 }))).toBe('bus_conflict')
      await exam.during(bucket.delete(key))
      expect(await exam.during(bucket.get(key))).toBeUndefined()
      await exam.during(bucket.put(key, '3', { expect: 0 }))
      expect((await exam.during(bucket.get(key)))!.json()).toBe(3)
    })

    it('put() with a revision fails after the key was deleted', async () => {
      const bucket = exam.bus.bucket('volley_requests')
      const key = newId('req')
      const revision = await exam.during(bucket.put(key, '1'))
      await exam.during(bucket.delete(key))
      expect(await exam.rejection(bucket.put(key, '2', { expect: revision }))).toBe('bus_conflict')
    })

    it('put() with a TTL lets the key age out; a later put() renews it, and a watcher sees it go', async () => {
      const bucket = exam.bus.bucket('volley_instances')
      const key = newId('inst')
      const watch = await watched(exam.other.bucket('volley_instances'))
      let revision = await exam.during(bucket.put(key, '{"n":0}', { ttlMs: 4_000 }))
      for (let n = 1; n <= 3; n++) {
        await exam.world.pass(1_500)
        revision = await exam.during(bucket.put(key, `{"n":${n}}`, { ttlMs: 4_000, expect: revision }))
      }
      await exam.until(() => watch.of(key).length === 4)
      expect((await exam.during(bucket.get(key)))!.json()).toEqual({ n: 3 })
      await exam.until(() => watch.of(key).length === 5)
      expect(watch.of(key).map((entry) => entry?.json())).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }, undefined])
      expect(await exam.during(bucket.get(key))).toBeUndefined()
      await exam.during(bucket.put(key, '{"n":4}', { expect: 0, ttlMs: 4_000 }))
      await exam.until(() => watch.of(key).length === 6)
      watch.subscription.unsubscribe()
    })

    it('watch() brings present values before it resolves, then changes and deletions, until it ends', async () => {
      const bucket = exam.bus.bucket('volley_labels')
      const [old, fresh] = [newId('inst'), newId('inst')]
      await exam.during(bucket.put(old, '"prefill"'))
      const watch = await watched(exam.other.bucket('volley_labels'))
      expect(watch.of(old).map((entry) => entry?.json())).toEqual(['prefill'])
      const revision = await exam.during(bucket.put(old, '"decode"'))
      await exam.during(bucket.put(fresh, '"prefill"'))
      await exam.during(bucket.delete(fresh))
      await exam.until(() => watch.of(fresh).length === 2)
      expect(watch.of(old).map((entry) => entry?.revision)).toContain(revision)
      expect(watch.of(fresh).map((entry) => entry?.json())).toEqual(['prefill', undefined])
      watch.subscription.unsubscribe()
      await exam.during(bucket.put(old, '"prefill"'))
      await exam.world.pass(100)
      expect(watch.of(old)).toHaveLength(2)
    })

    it('watch() of an empty bucket resolves', async () => {
      const watch = await watched(exam.bus.bucket('volley_inputs'))
      watch.subscription.unsubscribe()
    })

    it('keys() names the keys that are there', async () => {
      const bucket = exam.bus.bucket('volley_models')
      const [kept, gone] = [newId('model'), newId('model')]
      await exam.during(bucket.put(kept, '1'))
      await exam.during(bucket.put(gone, '1'))
      await exam.during(bucket.delete(gone))
      const keys = await exam.during(bucket.keys())
      expect(keys).toContain(kept)
      expect(keys).not.toContain(gone)
    })

    it('keeps bytes as they are', async () => {
      const bucket = exam.bus.bucket('volley_inputs')
      const bytes = Uint8Array.from({ length: 4_096 }, (_, i) => (i * 31) & 255)
      await exam.during(bucket.put('bytes', bytes, { ttlMs: 60_000 }))
      expect([...(await exam.during(bucket.get('bytes')))!.value]).toEqual([...bytes])
    })
  })
}
