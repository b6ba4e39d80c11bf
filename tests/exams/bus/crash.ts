/**
 * Questions about a broker that dies and comes back.
 * @module
 */
import { describe, expect, it } from 'vitest'
import { subjects } from '../../../runtime/bus/subjects.ts'
import { newId } from '../../../runtime/ids.ts'
import { code, type Exam } from './exam.ts'

/** What goes on after a crash. */
export function crashQuestions(exam: Exam): void {
  describe('a broker that crashes and comes back', () => {
    it('keeps hops, leases, records and events; subscriptions, pulls and watches go on', async (context) => {
      if (!exam.world.crash) return context.skip('this adapter cannot crash its broker')
      const { phase, hop } = await exam.newPhase()
      const [id, key] = [newId('req'), newId('req')]
      let reconnects = 0
      const off = exam.bus.onReconnect(() => reconnects++)
      const subject = subjects.instanceOp(newId('inst'), 'echo')
      const service = exam.other.subscribe(subject, (message) => message.respond('pong'))
      const bucket = exam.bus.bucket('volley_requests')
      const changes: unknown[] = []
      const watch = await exam.during(bucket.watch((name, entry) => name === key && changes.push(entry?.json())))
      const revision = await exam.during(bucket.put(key, '{"n":1}', { expect: 0 }))
      await exam.during(exam.bus.append(subjects.event(id, 'admitted'), '{}'))
      await exam.during(exam.bus.append(hop(id), '{"n":0}', { msgId: `${id}:0` }))
      const held = await exam.pullOne(exam.bus, phase)
      await exam.during(exam.bus.append(hop(), '{"n":1}'))
      await exam.until(() => changes.length === 1)
      const empty = await exam.newPhase()
      const waiting = exam.bus.pull(empty.phase, { max: 1, expiresMs: 8_000 })
      const inFlight = exam.rejection(exam.bus.request(subject, '{}', { timeoutMs: 400 }))

      await exam.world.crash!(500)
      expect(['bus_timeout', 'resolved']).toContain(await inFlight)
      await exam.until(() => reconnects >= 1)

      // what waited goes on
      await exam.during(retried(() => exam.other.append(empty.hop(), '{"after":true}')))
      expect((await exam.during(waiting)).map((delivery) => delivery.json())).toEqual([{ after: true }])
      await exam.during(retried(() => exam.bus.request(subject, '{}', { timeoutMs: 500 })))
      // what was stored is there
      expect((await exam.during(bucket.get(key)))!.revision).toBe(revision)
      expect(await exam.during(exam.bus.history(subjects.eventsOfRequest(id)))).toHaveLength(1)
      expect((await exam.during(exam.bus.append(hop(id), '{"n":0}', { msgId: `${id}:0` }))).duplicate).toBe(true)
      const seen = new Set<number>()
      for (let round = 0; round < 20 && seen.size < 2; round++) {
        for (const delivery of await exam.pull(exam.bus, phase, 8)) seen.add(delivery.json<{ n: number }>().n)
      }
      expect([...seen].sort()).toEqual([0, 1])
      exam.bus.ack(held.ackSubject)
      // the watch hears what comes after
      await exam.during(bucket.put(key, '{"n":2}', { expect: revision }))
      await exam.until(() => changes.length >= 2)
      expect(changes.at(-1)).toEqual({ n: 2 })
      watch.unsubscribe()
      service.unsubscribe()
      off()
    })

    it('appends repeated with the same id while it is away arrive exactly once', async (context) => {
      if (!exam.world.crash) return context.skip('this adapter cannot crash its broker')
      const { phase, hop } = await exam.newPhase()
      const ids = Array.from({ length: 40 }, () => newId('req'))
      const writing = Promise.all(
        ids.map((id) =>
          retried(() => exam.bus.append(hop(id), JSON.stringify(id), { msgId: `${id}:0`, timeoutMs: 300 }))
        ),
      )
      await exam.world.crash!(700)
      await exam.during(writing)
      const seen: string[] = []
      for (let round = 0; round < 20 && seen.length < 40; round++) {
        for (const delivery of await exam.pull(exam.bus, phase, 40)) {
          seen.push(delivery.json())
          exam.bus.ack(delivery.ackSubject)
        }
      }
      expect(seen.sort()).toEqual([...ids].sort())
      expect(await exam.pull(exam.bus, phase, 1, 300)).toEqual([])
    })

    it('a key that went while a watcher was cut off is reported as gone', async (context) => {
      if (!exam.world.crash) return context.skip('this adapter cannot crash its broker')
      const bucket = exam.bus.bucket('volley_gateways')
      const key = newId('gw')
      const changes: unknown[] = []
      const watch = await exam.during(
        exam.other.bucket('volley_gateways').watch((name, entry) => name === key && changes.push(entry)),
      )
      await exam.during(bucket.put(key, '1', { ttlMs: 3_000 }))
      await exam.until(() => changes.length === 1)
      await exam.world.crash!(3_500)
      await exam.until(() => changes.length === 2)
      expect(changes[1]).toBeUndefined()
      watch.unsubscribe()
    })

    /** What a caller does: the same again while the bus says time-out or that nobody is there yet. */
    async function retried<T>(work: () => Promise<T>): Promise<T> {
      for (let attempt = 0;; attempt++) {
        try {
          return await work()
        } catch (error) {
          if (attempt > 100 || !['bus_timeout', 'no_responders'].includes(String(code(error)))) throw error
          await exam.world.pass(50)
        }
      }
    }
  })
}
