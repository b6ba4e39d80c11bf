/**
 * Questions about what may be lost and what is stored: publish, request, append, close.
 * @module
 */
import { describe, expect, it } from 'vitest'
import { subjects } from '../../../runtime/bus/subjects.ts'
import { newId } from '../../../runtime/ids.ts'
import { type Exam, text } from './exam.ts'

/** Publish and subscribe, request, append, close. */
export function coreQuestions(exam: Exam): void {
  describe('publish(), subscribe() and request()', () => {
    it('subscribe() hears what others publish, with wildcards, until it ends', async () => {
      const id = newId('req')
      const heard: string[] = []
      const subscription = exam.bus.subscribe(
        `volley.v1.ctl.${id}.*`,
        ({ subject, data }) => heard.push(`${subject} ${text(data)}`),
      )
      await exam.flushed(exam.bus)
      exam.other.publish(`volley.v1.ctl.${id}.a`, 'one')
      exam.other.publish(`volley.v1.ctl.${id}.b`, new Uint8Array([116, 119, 111]))
      await exam.until(() => heard.length === 2)
      expect(heard).toEqual([`volley.v1.ctl.${id}.a one`, `volley.v1.ctl.${id}.b two`])
      subscription.unsubscribe()
      exam.other.publish(`volley.v1.ctl.${id}.a`, 'three')
      await exam.world.pass(100)
      expect(heard).toHaveLength(2)
    })

    it('subscribe() with a queue hands each message to one member', async () => {
      const id = newId('req')
      const heard: string[] = []
      const members = [exam.bus, exam.other].map((member) =>
        member.subscribe(subjects.control(id), (message) => heard.push(message.text()), { queue: 'workers' })
      )
      for (const member of [exam.bus, exam.other]) await exam.flushed(member)
      for (let i = 0; i < 20; i++) exam.bus.publish(subjects.control(id), String(i))
      await exam.until(() => heard.length >= 20)
      await exam.world.pass(100)
      expect(heard.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
      members.forEach((member) => member.unsubscribe())
    })

    it('publish() to nobody is lost without an error', () => {
      expect(() => exam.bus.publish(subjects.control(newId('req')), '{}')).not.toThrow()
    })

    it('request() brings the answer, JSON and bytes alike', async () => {
      const subject = subjects.instanceOp(newId('inst'), 'echo')
      const service = exam.other.subscribe(subject, (message) => {
        expect(message.reply).toBeTypeOf('string')
        message.respond(message.data)
      })
      await exam.flushed(exam.other)
      const json = await exam.during(exam.bus.request(subject, '{"a":[1,2]}', { timeoutMs: 2_000 }))
      expect(json.json()).toEqual({ a: [1, 2] })
      const bytes = await exam.during(exam.bus.request(subject, new Uint8Array([0, 255, 128]), { timeoutMs: 2_000 }))
      expect([...bytes.data]).toEqual([0, 255, 128])
      service.unsubscribe()
    })

    it('request() fails with no_responders when nobody listens', async () => {
      expect(await exam.rejection(exam.bus.request(subjects.handOver(newId('inst')), '{}', { timeoutMs: 2_000 }))).toBe(
        'no_responders',
      )
    })

    it('request() fails with bus_timeout when nobody answers', async () => {
      const subject = subjects.handOver(newId('inst'))
      const silent = exam.other.subscribe(subject, () => undefined)
      await exam.flushed(exam.other)
      expect(await exam.rejection(exam.bus.request(subject, '{}', { timeoutMs: 200 }))).toBe('bus_timeout')
      silent.unsubscribe()
    })

    it('request() stops at once on abort with cancelled', async () => {
      const subject = subjects.handOver(newId('inst'))
      const silent = exam.other.subscribe(subject, () => undefined)
      await exam.flushed(exam.other)
      const abort = new AbortController()
      const asked = exam.rejection(exam.bus.request(subject, '{}', { timeoutMs: 60_000, signal: abort.signal }))
      await exam.world.pass(40)
      abort.abort()
      expect(await asked).toBe('cancelled')
      expect(await exam.rejection(exam.bus.request(subject, '{}', { timeoutMs: 60_000, signal: abort.signal }))).toBe(
        'cancelled',
      )
      silent.unsubscribe()
    })
  })

  describe('append()', () => {
    it('stores in order and answers rising sequence numbers', async () => {
      const { phase, hop } = await exam.newPhase()
      const first = await exam.during(exam.bus.append(hop(), '{"n":1}'))
      const second = await exam.during(exam.other.append(hop(), '{"n":2}'))
      expect(first.duplicate).toBe(false)
      expect(second.seq).toBeGreaterThan(first.seq)
      const one = await exam.pullOne(exam.bus, phase)
      expect([one.seq, one.json()]).toEqual([first.seq, { n: 1 }])
    })

    it('stores a repeated message id once and says so', async () => {
      const { phase, hop } = await exam.newPhase()
      const id = newId('req')
      const first = await exam.during(exam.bus.append(hop(id), '{"n":1}', { msgId: `${id}:0` }))
      const again = await exam.during(exam.other.append(hop(id), '{"n":1}', { msgId: `${id}:0` }))
      expect(again).toEqual({ seq: first.seq, duplicate: true })
      expect(await exam.pull(exam.bus, phase, 8)).toHaveLength(1)
      expect(await exam.pull(exam.bus, phase, 8, 300)).toEqual([])
    })

    it('recognises a repeated message id after the message was acked away', async () => {
      const { phase, hop } = await exam.newPhase()
      const id = newId('req')
      await exam.during(exam.bus.append(hop(id), '{}', { msgId: `${id}:0` }))
      exam.bus.ack((await exam.pullOne(exam.bus, phase)).ackSubject)
      await exam.world.pass(50)
      expect((await exam.during(exam.bus.append(hop(id), '{}', { msgId: `${id}:0` }))).duplicate).toBe(true)
      expect(await exam.pull(exam.bus, phase, 8, 300)).toEqual([])
    })

    it('stores only on the expected last sequence of the subject', async () => {
      const { hop } = await exam.newPhase()
      const subject = hop()
      const first = await exam.during(exam.bus.append(subject, '{}', { expectLastSeq: 0 }))
      expect(await exam.rejection(exam.bus.append(subject, '{}', { expectLastSeq: 0 }))).toBe('bus_conflict')
      const second = await exam.during(exam.bus.append(subject, '{}', { expectLastSeq: first.seq }))
      expect(second.seq).toBeGreaterThan(first.seq)
    })

    it('lets a message with a TTL disappear', async () => {
      const { phase, hop } = await exam.newPhase()
      await exam.during(exam.bus.append(hop(), '{}', { ttlMs: 1_000 }))
      await exam.world.pass(3_000)
      expect(await exam.pull(exam.bus, phase, 1, 200)).toEqual([])
    })

    it('fires a scheduled message into its target, not before its time', async () => {
      const { phase, hop } = await exam.newPhase()
      const id = newId('req')
      const atMs = exam.world.now() + 1_200
      await exam.during(
        exam.bus.append(subjects.timer(id, 'deadline'), '{"late":true}', { schedule: { atMs, target: hop(id) } }),
      )
      const fired = await exam.pullOne(exam.bus, phase, 10_000)
      expect(exam.world.now()).toBeGreaterThanOrEqual(atMs)
      expect([fired.subject, fired.json()]).toEqual([hop(id), { late: true }])
    })

    it('arms a timer anew when the same timer is written again', async () => {
      const { phase, hop } = await exam.newPhase()
      const id = newId('req')
      const timer = subjects.timer(id, 'deadline')
      await exam.during(
        exam.bus.append(timer, '{"n":1}', { schedule: { atMs: exam.world.now() + 2_000, target: hop(id) } }),
      )
      await exam.during(
        exam.bus.append(timer, '{"n":2}', { schedule: { atMs: exam.world.now() + 3_000, target: hop(id) } }),
      )
      const fired = await exam.pullOne(exam.bus, phase, 10_000)
      expect(fired.json()).toEqual({ n: 2 })
      exam.bus.ack(fired.ackSubject)
      expect(await exam.pull(exam.bus, phase, 1, 500)).toEqual([])
    })
  })

  it('close() ends a connection: what waits on it ends, and what comes later fails', async () => {
    const third = await exam.during(exam.world.connect('exam-three'))
    const { phase } = await exam.newPhase()
    const waiting = exam.rejection(third.pull(phase, { max: 1, expiresMs: 2_000 }))
    await exam.world.pass(50)
    await exam.during(third.close())
    await waiting
    const late = [
      third.append(subjects.event(newId('req'), 'late'), '{}'),
      third.bucket('volley_requests').get('late'),
      third.request('volley.v1.ctl.x', '{}', { timeoutMs: 500 }),
    ].map(exam.rejection)
    for (const outcome of late) expect(await outcome).toMatch(/^bus_(unreachable|timeout)$/)
    expect(() => third.publish('volley.v1.ctl.x', '{}')).not.toThrow()
    await exam.during(third.close())
  })
}
