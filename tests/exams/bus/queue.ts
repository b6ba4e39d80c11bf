/**
 * Questions about the work queue: pulls, leases, purge.
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../runtime/bus/bus.ts'
import { subjects } from '../../../runtime/bus/subjects.ts'
import { ACK_WAIT_MS } from '../../../runtime/bus/topology.ts'
import { newId } from '../../../runtime/ids.ts'
import { type Exam } from './exam.ts'

/** Pull, ack, working, purge. */
export function queueQuestions(exam: Exam): void {
  describe('pull(), ack() and working()', () => {
    it('hands out up to max, oldest first, each with its lease', async () => {
      const { phase, hop } = await exam.newPhase()
      for (let n = 0; n < 5; n++) await exam.during(exam.bus.append(hop(), `{"n":${n}}`))
      const three = await exam.pull(exam.bus, phase, 3)
      expect(three.map((delivery) => delivery.json())).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
      expect(three.every((delivery) => delivery.delivery === 1)).toBe(true)
      const rest = await exam.pull(exam.other, phase, 8)
      expect(rest.map((delivery) => delivery.json())).toEqual([{ n: 3 }, { n: 4 }])
    })

    it('hands out only its own phase', async () => {
      const one = await exam.newPhase()
      const two = await exam.newPhase()
      await exam.during(exam.bus.append(one.hop(), '{}'))
      expect(await exam.pull(exam.bus, two.phase, 8, 200)).toEqual([])
      expect(await exam.pull(exam.bus, one.phase, 8, 200)).toHaveLength(1)
    })

    it('is empty when it expires with nothing there', async () => {
      const { phase } = await exam.newPhase()
      expect(await exam.pull(exam.bus, phase, 4, 300)).toEqual([])
    })

    it('brings a hop that comes while it waits, without waiting for the others', async () => {
      const { phase, hop } = await exam.newPhase()
      const waiting = exam.bus.pull(phase, { max: 8, expiresMs: 60_000 })
      await exam.world.pass(100)
      await exam.during(exam.other.append(hop(), '{"n":1}'))
      expect((await exam.during(waiting, 3_000)).map((delivery) => delivery.json())).toEqual([{ n: 1 }])
    })

    it('shares hops among several pullers, each hop to one', async () => {
      const { phase, hop } = await exam.newPhase()
      const waiting = [exam.bus, exam.other, exam.bus, exam.other].map((member) =>
        member.pull(phase, { max: 1, expiresMs: 5_000 })
      )
      await exam.world.pass(50)
      for (let n = 0; n < 4; n++) await exam.during(exam.bus.append(hop(), `{"n":${n}}`))
      const got = (await exam.during(Promise.all(waiting))).flat()
      expect(got.map((delivery) => delivery.json<{ n: number }>().n).sort()).toEqual([0, 1, 2, 3])
    })

    it('stops at once on abort, and keeps no hop that comes later', async () => {
      const { phase, hop } = await exam.newPhase()
      const abort = new AbortController()
      const stopped = exam.bus.pull(phase, { max: 4, expiresMs: 60_000, signal: abort.signal })
      await exam.world.pass(60)
      abort.abort()
      expect(await exam.during(stopped, 1_000)).toEqual([])
      await exam.during(exam.other.append(hop(), '{}'))
      expect(await exam.during(exam.other.pull(phase, { max: 4, expiresMs: 1_000 }))).toHaveLength(1)
    })

    it('hands an acked hop out no more', async () => {
      const { phase, hop } = await exam.newPhase()
      await exam.during(exam.bus.append(hop(), '{}'))
      exam.bus.ack((await exam.pullOne(exam.bus, phase)).ackSubject)
      await exam.world.pass(ACK_WAIT_MS + 500)
      expect(await exam.pull(exam.bus, phase, 1, 300)).toEqual([])
    })

    it('hands a hop out again when its lease has passed, counted', async () => {
      const { phase, hop } = await exam.newPhase()
      await exam.during(exam.bus.append(hop(), '{"n":1}'))
      const before = exam.world.now()
      const first = await exam.pullOne(exam.bus, phase)
      const second = await exam.pullOne(exam.other, phase, ACK_WAIT_MS * 5)
      expect(exam.world.now() - before).toBeGreaterThanOrEqual(ACK_WAIT_MS)
      expect([second.seq, second.delivery, second.json()]).toEqual([first.seq, 2, { n: 1 }])
    })

    it('loses none of several hops whose leases have passed together', async () => {
      const { phase, hop } = await exam.newPhase()
      for (let n = 1; n <= 6; n++) await exam.during(exam.bus.append(hop(), '{}'))
      let first: Delivery[] = []
      while (first.length < 6) first = [...first, ...(await exam.pull(exam.bus, phase, 8))]
      await exam.world.pass(ACK_WAIT_MS + 200)
      const again = new Set<number>()
      // All within one more lease: what comes later was lost before.
      for (let tries = 0; tries < 6 && again.size < 6; tries++) for (const { seq } of await exam.pull(exam.other, phase, 8, 250)) again.add(seq)
      expect(again).toEqual(new Set(first.map(({ seq }) => seq)))
    })

    it('working() keeps the lease', async () => {
      const { phase, hop } = await exam.newPhase()
      await exam.during(exam.bus.append(hop(), '{}'))
      const held = await exam.pullOne(exam.bus, phase)
      for (let beat = 0; beat < 20; beat++) {
        await exam.world.pass(ACK_WAIT_MS / 10)
        exam.bus.working(held.ackSubject)
      }
      expect(await exam.pull(exam.other, phase, 1, ACK_WAIT_MS / 4)).toEqual([])
      expect((await exam.pullOne(exam.other, phase, ACK_WAIT_MS * 5)).delivery).toBe(2)
    })

    it('moves a lease with its ack subject: another connection beats and acks', async () => {
      const { phase, hop } = await exam.newPhase()
      await exam.during(exam.bus.append(hop(), '{}'))
      const { ackSubject } = await exam.pullOne(exam.bus, phase)
      for (let beat = 0; beat < 20; beat++) {
        await exam.world.pass(ACK_WAIT_MS / 10)
        exam.other.working(ackSubject)
      }
      exam.other.ack(ackSubject)
      await exam.world.pass(ACK_WAIT_MS + 500)
      expect(await exam.pull(exam.bus, phase, 1, 300)).toEqual([])
    })

    it('ensurePhase() may be called again, by several at once, and takes hops that were there before', async () => {
      const phase = newId('phase')
      await exam.during(exam.bus.append(subjects.hop(phase, 'model', 'default', newId('req')), '{}'))
      await exam.during(
        Promise.all([exam.bus.ensurePhase(phase), exam.other.ensurePhase(phase), exam.bus.ensurePhase(phase)]),
      )
      expect(await exam.pull(exam.other, phase)).toHaveLength(1)
    })
  })

  describe('purge()', () => {
    it('removes the waiting hops of one request and leaves the others', async () => {
      const { phase, hop } = await exam.newPhase()
      const [doomed, kept] = [newId('req'), newId('req')]
      await exam.during(exam.bus.append(hop(doomed), '{"n":0}'))
      await exam.during(exam.bus.append(hop(kept), '{"n":1}'))
      await exam.during(exam.bus.append(hop(doomed), '{"n":2}'))
      await exam.during(exam.other.purge(subjects.hopsOfRequest(doomed)))
      expect((await exam.pull(exam.bus, phase, 8)).map((delivery) => delivery.json())).toEqual([{ n: 1 }])
    })

    it('removes a hop under lease, so that it is not handed out again', async () => {
      const { phase, hop } = await exam.newPhase()
      const id = newId('req')
      await exam.during(exam.bus.append(hop(id), '{}'))
      await exam.pullOne(exam.bus, phase)
      await exam.during(exam.bus.purge(subjects.hopsOfRequest(id)))
      expect(await exam.pull(exam.bus, phase, 1, ACK_WAIT_MS + 800)).toEqual([])
    })

    it('removes timers, which then do not fire', async () => {
      const { phase, hop } = await exam.newPhase()
      const id = newId('req')
      await exam.during(
        exam.bus.append(subjects.timer(id, 'deadline'), '{}', {
          schedule: { atMs: exam.world.now() + 2_000, target: hop(id) },
        }),
      )
      await exam.during(exam.bus.purge(subjects.timersOfRequest(id)))
      expect(await exam.pull(exam.bus, phase, 1, 3_000)).toEqual([])
    })

    it('of what is not there is no error', async () => {
      expect(await exam.rejection(exam.bus.purge(subjects.hopsOfRequest(newId('req'))))).toBe('resolved')
    })
  })
}
