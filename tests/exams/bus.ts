/**
 * The exam of the messaging port: every adapter sits it. It tests what `bus.ts` promises and nothing else; time passes
 * through the world it is given, so that a virtual clock and a real one sit the same questions.
 * @module
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../runtime/ids.ts'
import type { Bus, Delivery, Entry } from '../../runtime/bus/bus.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import { ACK_WAIT_MS } from '../../runtime/bus/topology.ts'

/** What an adapter brings to its exam. */
export interface BusWorld {
  /** Another connection to the same broker. Closed by the exam. */
  connect(name: string): Promise<Bus>
  /** Lets time pass. */
  pass(ms: number): Promise<void>
  /** The broker's wall clock. */
  now(): number
  /** The broker crashes, stays away so long, and comes back with what it has stored. */
  crash?(awayMs: number): Promise<void>
  close(): Promise<void>
}

const text = (data: Uint8Array): string => new TextDecoder().decode(data)
const code = (error: unknown): unknown => (error as { code?: unknown }).code

/** Describes the exam under the adapter's name. */
export function busExam(name: string, makeWorld: () => Promise<BusWorld>): void {
  describe(`${name} keeps the promises of the bus port`, () => {
    let world: BusWorld
    let bus: Bus
    let other: Bus
    let crashes = true

    beforeAll(async () => {
      world = await makeWorld()
      crashes = world.crash !== undefined
      bus = await during(world.connect('exam-one'))
      other = await during(world.connect('exam-two'))
      await during(Promise.all([bus.setUp(), other.setUp()]))
    })
    afterAll(async () => {
      await bus?.close()
      await other?.close()
      await world?.close()
    })

    /** Waits for a promise while time passes. */
    async function during<T>(promise: Promise<T>, limitMs = 15_000): Promise<T> {
      let settled = false
      promise.then(
        () => (settled = true),
        () => (settled = true),
      )
      for (let ms = 0; !settled && ms < limitMs; ms += 20) await world.pass(20)
      if (!settled) throw new Error(`still waiting after ${limitMs} ms`)
      return promise
    }
    /** Lets time pass until something holds. */
    async function until(holds: () => boolean, limitMs = 15_000): Promise<void> {
      for (let ms = 0; !holds(); ms += 20) {
        if (ms >= limitMs) throw new Error(`does not hold after ${limitMs} ms`)
        await world.pass(20)
      }
    }
    /** A phase of its own, so that the questions do not meet. */
    async function newPhase(): Promise<{ phase: string; hop: (id?: string) => string }> {
      const phase = newId('phase')
      await during(bus.ensurePhase(phase))
      return { phase, hop: (id = newId('req')) => subjects.hop(phase, 'model', 'default', id) }
    }
    const pull = (from: Bus, phase: string, max = 1, expiresMs = 1_000): Promise<Delivery[]> =>
      during(from.pull(phase, { max, expiresMs }))
    const rejection = (promise: Promise<unknown>): Promise<unknown> => during(promise.then(() => 'resolved', code))
    async function pullOne(from: Bus, phase: string, expiresMs = 1_000): Promise<Delivery> {
      const [delivery] = await pull(from, phase, 1, expiresMs)
      if (!delivery) throw new Error('nothing was handed out')
      return delivery
    }

    describe('publish(), subscribe() and request()', () => {
      it('subscribe() hears what others publish, with wildcards, until it ends', async () => {
        const id = newId('req')
        const heard: string[] = []
        const subscription = bus.subscribe(
          `volley.v1.ctl.${id}.*`,
          ({ subject, data }) => heard.push(`${subject} ${text(data)}`),
        )
        await world.pass(50)
        other.publish(`volley.v1.ctl.${id}.a`, 'one')
        other.publish(`volley.v1.ctl.${id}.b`, new Uint8Array([116, 119, 111]))
        await until(() => heard.length === 2)
        expect(heard).toEqual([`volley.v1.ctl.${id}.a one`, `volley.v1.ctl.${id}.b two`])
        subscription.unsubscribe()
        other.publish(`volley.v1.ctl.${id}.a`, 'three')
        await world.pass(100)
        expect(heard).toHaveLength(2)
      })

      it('subscribe() with a queue hands each message to one member', async () => {
        const id = newId('req')
        const heard: string[] = []
        const members = [bus, other].map((member) =>
          member.subscribe(subjects.control(id), (message) => heard.push(message.text()), { queue: 'workers' })
        )
        await world.pass(50)
        for (let i = 0; i < 20; i++) bus.publish(subjects.control(id), String(i))
        await until(() => heard.length >= 20)
        await world.pass(100)
        expect(heard.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
        members.forEach((member) => member.unsubscribe())
      })

      it('publish() to nobody is lost without an error', () => {
        expect(() => bus.publish(subjects.control(newId('req')), '{}')).not.toThrow()
      })

      it('request() brings the answer, JSON and bytes alike', async () => {
        const subject = subjects.instanceOp(newId('inst'), 'echo')
        const service = other.subscribe(subject, (message) => {
          expect(message.reply).toBeTypeOf('string')
          message.respond(message.data)
        })
        await world.pass(50)
        const json = await during(bus.request(subject, '{"a":[1,2]}', { timeoutMs: 2_000 }))
        expect(json.json()).toEqual({ a: [1, 2] })
        const bytes = await during(bus.request(subject, new Uint8Array([0, 255, 128]), { timeoutMs: 2_000 }))
        expect([...bytes.data]).toEqual([0, 255, 128])
        service.unsubscribe()
      })

      it('request() fails with no_responders when nobody listens', async () => {
        expect(await rejection(bus.request(subjects.handOver(newId('inst')), '{}', { timeoutMs: 2_000 }))).toBe(
          'no_responders',
        )
      })

      it('request() fails with bus_timeout when nobody answers', async () => {
        const subject = subjects.handOver(newId('inst'))
        const silent = other.subscribe(subject, () => undefined)
        await world.pass(50)
        expect(await rejection(bus.request(subject, '{}', { timeoutMs: 200 }))).toBe('bus_timeout')
        silent.unsubscribe()
      })

      it('request() stops at once on abort with cancelled', async () => {
        const subject = subjects.handOver(newId('inst'))
        const silent = other.subscribe(subject, () => undefined)
        await world.pass(50)
        const abort = new AbortController()
        const asked = rejection(bus.request(subject, '{}', { timeoutMs: 60_000, signal: abort.signal }))
        await world.pass(40)
        abort.abort()
        expect(await asked).toBe('cancelled')
        expect(await rejection(bus.request(subject, '{}', { timeoutMs: 60_000, signal: abort.signal }))).toBe(
          'cancelled',
        )
        silent.unsubscribe()
      })
    })

    describe('append()', () => {
      it('stores in order and answers rising sequence numbers', async () => {
        const { phase, hop } = await newPhase()
        const first = await during(bus.append(hop(), '{"n":1}'))
        const second = await during(other.append(hop(), '{"n":2}'))
        expect(first.duplicate).toBe(false)
        expect(second.seq).toBeGreaterThan(first.seq)
        const one = await pullOne(bus, phase)
        expect([one.seq, one.json()]).toEqual([first.seq, { n: 1 }])
      })

      it('stores a repeated message id once and says so', async () => {
        const { phase, hop } = await newPhase()
        const id = newId('req')
        const first = await during(bus.append(hop(id), '{"n":1}', { msgId: `${id}:0` }))
        const again = await during(other.append(hop(id), '{"n":1}', { msgId: `${id}:0` }))
        expect(again).toEqual({ seq: first.seq, duplicate: true })
        expect(await pull(bus, phase, 8)).toHaveLength(1)
        expect(await pull(bus, phase, 8, 300)).toEqual([])
      })

      it('recognises a repeated message id after the message was acked away', async () => {
        const { phase, hop } = await newPhase()
        const id = newId('req')
        await during(bus.append(hop(id), '{}', { msgId: `${id}:0` }))
        bus.ack((await pullOne(bus, phase)).ackSubject)
        await world.pass(50)
        expect((await during(bus.append(hop(id), '{}', { msgId: `${id}:0` }))).duplicate).toBe(true)
        expect(await pull(bus, phase, 8, 300)).toEqual([])
      })

      it('stores only on the expected last sequence of the subject', async () => {
        const { hop } = await newPhase()
        const subject = hop()
        const first = await during(bus.append(subject, '{}', { expectLastSeq: 0 }))
        expect(await rejection(bus.append(subject, '{}', { expectLastSeq: 0 }))).toBe('bus_conflict')
        const second = await during(bus.append(subject, '{}', { expectLastSeq: first.seq }))
        expect(second.seq).toBeGreaterThan(first.seq)
      })

      it('lets a message with a TTL disappear', async () => {
        const { phase, hop } = await newPhase()
        await during(bus.append(hop(), '{}', { ttlMs: 1_000 }))
        await world.pass(2_000)
        expect(await pull(bus, phase, 1, 200)).toEqual([])
      })

      it('fires a scheduled message into its target, not before its time', async () => {
        const { phase, hop } = await newPhase()
        const id = newId('req')
        const atMs = world.now() + 1_200
        await during(
          bus.append(subjects.timer(id, 'deadline'), '{"late":true}', { schedule: { atMs, target: hop(id) } }),
        )
        expect(await pull(bus, phase, 1, 500)).toEqual([])
        const fired = await pullOne(bus, phase, 3_000)
        expect(world.now()).toBeGreaterThanOrEqual(atMs)
        expect([fired.subject, fired.json()]).toEqual([hop(id), { late: true }])
      })

      it('arms a timer anew when the same timer is written again', async () => {
        const { phase, hop } = await newPhase()
        const id = newId('req')
        const timer = subjects.timer(id, 'deadline')
        await during(bus.append(timer, '{"n":1}', { schedule: { atMs: world.now() + 700, target: hop(id) } }))
        await during(bus.append(timer, '{"n":2}', { schedule: { atMs: world.now() + 1_700, target: hop(id) } }))
        const fired = await pullOne(bus, phase, 4_000)
        expect(fired.json()).toEqual({ n: 2 })
        bus.ack(fired.ackSubject)
        expect(await pull(bus, phase, 1, 500)).toEqual([])
      })
    })

    describe('pull(), ack() and working()', () => {
      it('hands out up to max, oldest first, each with its lease', async () => {
        const { phase, hop } = await newPhase()
        for (let n = 0; n < 5; n++) await during(bus.append(hop(), `{"n":${n}}`))
        const three = await pull(bus, phase, 3)
        expect(three.map((delivery) => delivery.json())).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
        expect(three.every((delivery) => delivery.delivery === 1)).toBe(true)
        const rest = await pull(other, phase, 8)
        expect(rest.map((delivery) => delivery.json())).toEqual([{ n: 3 }, { n: 4 }])
      })

      it('hands out only its own phase', async () => {
        const one = await newPhase()
        const two = await newPhase()
        await during(bus.append(one.hop(), '{}'))
        expect(await pull(bus, two.phase, 8, 200)).toEqual([])
        expect(await pull(bus, one.phase, 8, 200)).toHaveLength(1)
      })

      it('is empty when it expires with nothing there', async () => {
        const { phase } = await newPhase()
        expect(await pull(bus, phase, 4, 300)).toEqual([])
      })

      it('brings a hop that comes while it waits, without waiting for the others', async () => {
        const { phase, hop } = await newPhase()
        const waiting = bus.pull(phase, { max: 8, expiresMs: 60_000 })
        await world.pass(100)
        await during(other.append(hop(), '{"n":1}'))
        expect((await during(waiting, 3_000)).map((delivery) => delivery.json())).toEqual([{ n: 1 }])
      })

      it('shares hops among several pullers, each hop to one', async () => {
        const { phase, hop } = await newPhase()
        const waiting = [bus, other, bus, other].map((member) => member.pull(phase, { max: 1, expiresMs: 5_000 }))
        await world.pass(50)
        for (let n = 0; n < 4; n++) await during(bus.append(hop(), `{"n":${n}}`))
        const got = (await during(Promise.all(waiting))).flat()
        expect(got.map((delivery) => delivery.json<{ n: number }>().n).sort()).toEqual([0, 1, 2, 3])
      })

      it('stops at once on abort, and keeps no hop that comes later', async () => {
        const { phase, hop } = await newPhase()
        const abort = new AbortController()
        const stopped = bus.pull(phase, { max: 4, expiresMs: 60_000, signal: abort.signal })
        await world.pass(60)
        abort.abort()
        expect(await during(stopped, 1_000)).toEqual([])
        await during(other.append(hop(), '{}'))
        expect(await during(other.pull(phase, { max: 4, expiresMs: 1_000 }))).toHaveLength(1)
      })

      it('hands an acked hop out no more', async () => {
        const { phase, hop } = await newPhase()
        await during(bus.append(hop(), '{}'))
        bus.ack((await pullOne(bus, phase)).ackSubject)
        await world.pass(ACK_WAIT_MS + 500)
        expect(await pull(bus, phase, 1, 300)).toEqual([])
      })

      it('hands a hop out again when its lease has passed, counted', async () => {
        const { phase, hop } = await newPhase()
        await during(bus.append(hop(), '{"n":1}'))
        const first = await pullOne(bus, phase)
        expect(await pull(other, phase, 1, ACK_WAIT_MS / 2)).toEqual([])
        const second = await pullOne(other, phase, ACK_WAIT_MS * 2)
        expect([second.seq, second.delivery, second.json()]).toEqual([first.seq, 2, { n: 1 }])
      })

      it('loses none of several hops whose leases have passed together', async () => {
        const { phase, hop } = await newPhase()
        for (let n = 1; n <= 6; n++) await during(bus.append(hop(), '{}'))
        let first: Delivery[] = []
        while (first.length < 6) first = [...first, ...(await pull(bus, phase, 8))]
        await world.pass(ACK_WAIT_MS + 200)
        const again = new Set<number>()
        for (let tries = 0; tries < 4; tries++) for (const { seq } of await pull(other, phase, 8, 250)) again.add(seq)
        expect(again).toEqual(new Set(first.map(({ seq }) => seq)))
      })

      it('working() keeps the lease', async () => {
        const { phase, hop } = await newPhase()
        await during(bus.append(hop(), '{}'))
        const held = await pullOne(bus, phase)
        for (let beat = 0; beat < 6; beat++) {
          await world.pass(ACK_WAIT_MS / 3)
          bus.working(held.ackSubject)
        }
        expect(await pull(other, phase, 1, ACK_WAIT_MS / 4)).toEqual([])
        expect((await pullOne(other, phase, ACK_WAIT_MS * 2)).delivery).toBe(2)
      })

      it('moves a lease with its ack subject: another connection beats and acks', async () => {
        const { phase, hop } = await newPhase()
        await during(bus.append(hop(), '{}'))
        const { ackSubject } = await pullOne(bus, phase)
        for (let beat = 0; beat < 4; beat++) {
          await world.pass(ACK_WAIT_MS / 2)
          other.working(ackSubject)
        }
        other.ack(ackSubject)
        await world.pass(ACK_WAIT_MS + 500)
        expect(await pull(bus, phase, 1, 300)).toEqual([])
      })

      it('ensurePhase() may be called again, by several at once, and takes hops that were there before', async () => {
        const phase = newId('phase')
        await during(bus.append(subjects.hop(phase, 'model', 'default', newId('req')), '{}'))
        await during(Promise.all([bus.ensurePhase(phase), other.ensurePhase(phase), bus.ensurePhase(phase)]))
        expect(await pull(other, phase)).toHaveLength(1)
      })
    })

    describe('purge()', () => {
      it('removes the waiting hops of one request and leaves the others', async () => {
        const { phase, hop } = await newPhase()
        const [doomed, kept] = [newId('req'), newId('req')]
        await during(bus.append(hop(doomed), '{"n":0}'))
        await during(bus.append(hop(kept), '{"n":1}'))
        await during(bus.append(hop(doomed), '{"n":2}'))
        await during(other.purge(subjects.hopsOfRequest(doomed)))
        expect((await pull(bus, phase, 8)).map((delivery) => delivery.json())).toEqual([{ n: 1 }])
      })

      it('removes a hop under lease, so that it is not handed out again', async () => {
        const { phase, hop } = await newPhase()
        const id = newId('req')
        await during(bus.append(hop(id), '{}'))
        await pullOne(bus, phase)
        await during(bus.purge(subjects.hopsOfRequest(id)))
        expect(await pull(bus, phase, 1, ACK_WAIT_MS + 800)).toEqual([])
      })

      it('removes timers, which then do not fire', async () => {
        const { phase, hop } = await newPhase()
        const id = newId('req')
        await during(
          bus.append(subjects.timer(id, 'deadline'), '{}', { schedule: { atMs: world.now() + 600, target: hop(id) } }),
        )
        await during(bus.purge(subjects.timersOfRequest(id)))
        expect(await pull(bus, phase, 1, 1_500)).toEqual([])
      })

      it('of what is not there is no error', async () => {
        expect(await rejection(bus.purge(subjects.hopsOfRequest(newId('req'))))).toBe('resolved')
      })
    })

    describe('history()', () => {
      it('tells the events of one request, oldest first', async () => {
        const [one, two] = [newId('req'), newId('req')]
        await during(bus.append(subjects.event(one, 'admitted'), '{"n":1}'))
        await during(bus.append(subjects.event(two, 'admitted'), '{"n":2}'))
        await during(other.append(subjects.event(one, 'done'), '{"n":3}'))
        const told = await during(other.history(subjects.eventsOfRequest(one)))
        expect(told.map(({ subject, data }) => [subject, text(data)])).toEqual([
          [subjects.event(one, 'admitted'), '{"n":1}'],
          [subjects.event(one, 'done'), '{"n":3}'],
        ])
        expect(told[1]!.seq).toBeGreaterThan(told[0]!.seq)
      })

      it('of an unknown request is empty', async () => {
        expect(await during(bus.history(subjects.eventsOfRequest(newId('req'))))).toEqual([])
      })
    })

    describe('bucket()', () => {
      const watched = async (bucket: ReturnType<Bus['bucket']>) => {
        const changes: [string, Entry | undefined][] = []
        const subscription = await during(bucket.watch((key, entry) => changes.push([key, entry])))
        return { of: (key: string) => changes.filter(([name]) => name === key).map(([, entry]) => entry), subscription }
      }

      it('get() brings what put() stored, or undefined', async () => {
        const bucket = bus.bucket('volley_requests')
        const key = newId('req')
        expect(await during(bucket.get(key))).toBeUndefined()
        const revision = await during(bucket.put(key, '{"state":"queued"}'))
        const entry = await during(other.bucket('volley_requests').get(key))
        expect([entry!.key, entry!.revision, entry!.json()]).toEqual([key, revision, { state: 'queued' }])
      })

      it('put() with the revision read wins once; the loser gets bus_conflict and changes nothing', async () => {
        const key = newId('req')
        const [one, two] = [bus.bucket('volley_requests'), other.bucket('volley_requests')]
        const revision = await during(one.put(key, '{"n":0}', { expect: 0 }))
        const outcomes = await during(
          Promise.all(
            [one, two].map((bucket, n) =>
              bucket.put(key, `{"n":${n + 1}}`, { expect: revision }).then(() => 'won', code)
            ),
          ),
        )
        expect([...outcomes].sort()).toEqual(['bus_conflict', 'won'])
        const entry = await during(one.get(key))
        expect(entry!.json()).toEqual({ n: outcomes.indexOf('won') + 1 })
      })

      it('put() expecting 0 fails on an existing key, and works after a delete', async () => {
        const bucket = bus.bucket('volley_requests')
        const key = newId('req')
        await during(bucket.put(key, '1', { expect: 0 }))
        expect(await rejection(bucket.put(key, '2', { expect: 0 }))).toBe('bus_conflict')
        await during(bucket.delete(key))
        expect(await during(bucket.get(key))).toBeUndefined()
        await during(bucket.put(key, '3', { expect: 0 }))
        expect((await during(bucket.get(key)))!.json()).toBe(3)
      })

      it('put() with a revision fails after the key was deleted', async () => {
        const bucket = bus.bucket('volley_requests')
        const key = newId('req')
        const revision = await during(bucket.put(key, '1'))
        await during(bucket.delete(key))
        expect(await rejection(bucket.put(key, '2', { expect: revision }))).toBe('bus_conflict')
      })

      it('put() with a TTL lets the key age out; a later put() renews it, and a watcher sees it go', async () => {
        const bucket = bus.bucket('volley_instances')
        const key = newId('inst')
        const watch = await watched(other.bucket('volley_instances'))
        let revision = await during(bucket.put(key, '{"n":0}', { ttlMs: 2_000 }))
        for (let n = 1; n <= 3; n++) {
          await world.pass(1_000)
          revision = await during(bucket.put(key, `{"n":${n}}`, { ttlMs: 2_000, expect: revision }))
        }
        await until(() => watch.of(key).length === 4)
        expect((await during(bucket.get(key)))!.json()).toEqual({ n: 3 })
        await until(() => watch.of(key).length === 5, 6_000)
        expect(watch.of(key).map((entry) => entry?.json())).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }, undefined])
        expect(await during(bucket.get(key))).toBeUndefined()
        await during(bucket.put(key, '{"n":4}', { expect: 0, ttlMs: 2_000 }))
        await until(() => watch.of(key).length === 6)
        watch.subscription.unsubscribe()
      })

      it('watch() brings present values before it resolves, then changes and deletions, until it ends', async () => {
        const bucket = bus.bucket('volley_labels')
        const [old, fresh] = [newId('inst'), newId('inst')]
        await during(bucket.put(old, '"prefill"'))
        const watch = await watched(other.bucket('volley_labels'))
        expect(watch.of(old).map((entry) => entry?.json())).toEqual(['prefill'])
        const revision = await during(bucket.put(old, '"decode"'))
        await during(bucket.put(fresh, '"prefill"'))
        await during(bucket.delete(fresh))
        await until(() => watch.of(fresh).length === 2)
        expect(watch.of(old).map((entry) => entry?.revision)).toContain(revision)
        expect(watch.of(fresh).map((entry) => entry?.json())).toEqual(['prefill', undefined])
        watch.subscription.unsubscribe()
        await during(bucket.put(old, '"prefill"'))
        await world.pass(100)
        expect(watch.of(old)).toHaveLength(2)
      })

      it('watch() of an empty bucket resolves', async () => {
        const watch = await watched(bus.bucket('volley_inputs'))
        watch.subscription.unsubscribe()
      })

      it('keys() names the keys that are there', async () => {
        const bucket = bus.bucket('volley_models')
        const [kept, gone] = [newId('model'), newId('model')]
        await during(bucket.put(kept, '1'))
        await during(bucket.put(gone, '1'))
        await during(bucket.delete(gone))
        const keys = await during(bucket.keys())
        expect(keys).toContain(kept)
        expect(keys).not.toContain(gone)
      })

      it('keeps bytes as they are', async () => {
        const bucket = bus.bucket('volley_inputs')
        const bytes = Uint8Array.from({ length: 4_096 }, (_, i) => (i * 31) & 255)
        await during(bucket.put('bytes', bytes, { ttlMs: 60_000 }))
        expect([...(await during(bucket.get('bytes')))!.value]).toEqual([...bytes])
      })
    })

    describe('a broker that crashes and comes back', () => {
      it('keeps hops, leases, records and events; subscriptions, pulls and watches go on', async (context) => {
        if (!crashes) return context.skip('this adapter cannot crash its broker')
        const { phase, hop } = await newPhase()
        const [id, key] = [newId('req'), newId('req')]
        let reconnects = 0
        const off = bus.onReconnect(() => reconnects++)
        const subject = subjects.instanceOp(newId('inst'), 'echo')
        const service = other.subscribe(subject, (message) => message.respond('pong'))
        const bucket = bus.bucket('volley_requests')
        const changes: unknown[] = []
        const watch = await during(bucket.watch((name, entry) => name === key && changes.push(entry?.json())))
        const revision = await during(bucket.put(key, '{"n":1}', { expect: 0 }))
        await during(bus.append(subjects.event(id, 'admitted'), '{}'))
        await during(bus.append(hop(id), '{"n":0}', { msgId: `${id}:0` }))
        const held = await pullOne(bus, phase)
        await during(bus.append(hop(), '{"n":1}'))
        await until(() => changes.length === 1)
        const empty = await newPhase()
        const waiting = bus.pull(empty.phase, { max: 1, expiresMs: 8_000 })
        const inFlight = rejection(bus.request(subject, '{}', { timeoutMs: 400 }))

        await world.crash!(500)
        expect(['bus_timeout', 'resolved']).toContain(await inFlight)
        await until(() => reconnects >= 1)

        // what waited goes on
        await during(retried(() => other.append(empty.hop(), '{"after":true}')))
        expect((await during(waiting)).map((delivery) => delivery.json())).toEqual([{ after: true }])
        await during(retried(() => bus.request(subject, '{}', { timeoutMs: 500 })))
        // what was stored is there
        expect((await during(bucket.get(key)))!.revision).toBe(revision)
        expect(await during(bus.history(subjects.eventsOfRequest(id)))).toHaveLength(1)
        expect((await during(bus.append(hop(id), '{"n":0}', { msgId: `${id}:0` }))).duplicate).toBe(true)
        const seen = new Set<number>()
        for (let round = 0; round < 20 && seen.size < 2; round++) {
          for (const delivery of await pull(bus, phase, 8)) seen.add(delivery.json<{ n: number }>().n)
        }
        expect([...seen].sort()).toEqual([0, 1])
        bus.ack(held.ackSubject)
        // the watch hears what comes after
        await during(bucket.put(key, '{"n":2}', { expect: revision }))
        await until(() => changes.length >= 2)
        expect(changes.at(-1)).toEqual({ n: 2 })
        watch.unsubscribe()
        service.unsubscribe()
        off()
      })

      it('appends repeated with the same id while it is away arrive exactly once', async (context) => {
        if (!crashes) return context.skip('this adapter cannot crash its broker')
        const { phase, hop } = await newPhase()
        const ids = Array.from({ length: 40 }, () => newId('req'))
        const writing = Promise.all(
          ids.map((id) => retried(() => bus.append(hop(id), JSON.stringify(id), { msgId: `${id}:0`, timeoutMs: 300 }))),
        )
        await world.crash!(700)
        await during(writing)
        const seen: string[] = []
        for (let round = 0; round < 20 && seen.length < 40; round++) {
          for (const delivery of await pull(bus, phase, 40)) {
            seen.push(delivery.json())
            bus.ack(delivery.ackSubject)
          }
        }
        expect(seen.sort()).toEqual([...ids].sort())
        expect(await pull(bus, phase, 1, 300)).toEqual([])
      })

      it('a key that went while a watcher was cut off is reported as gone', async (context) => {
        if (!crashes) return context.skip('this adapter cannot crash its broker')
        const bucket = bus.bucket('volley_gateways')
        const key = newId('gw')
        const changes: unknown[] = []
        const watch = await during(
          other.bucket('volley_gateways').watch((name, entry) => name === key && changes.push(entry)),
        )
        await during(bucket.put(key, '1', { ttlMs: 1_000 }))
        await until(() => changes.length === 1)
        await world.crash!(1_500)
        await until(() => changes.length === 2)
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
            await world.pass(50)
          }
        }
      }
    })

    it('close() ends a connection: what waits on it ends, and what comes later fails', async () => {
      const third = await during(world.connect('exam-three'))
      const { phase } = await newPhase()
      const waiting = rejection(third.pull(phase, { max: 1, expiresMs: 2_000 }))
      await world.pass(50)
      await during(third.close())
      await waiting
      const late = [
        third.append(subjects.event(newId('req'), 'late'), '{}'),
        third.bucket('volley_requests').get('late'),
        third.request('volley.v1.ctl.x', '{}', { timeoutMs: 500 }),
      ].map(rejection)
      for (const outcome of late) expect(await outcome).toMatch(/^bus_(unreachable|timeout)$/)
      expect(() => third.publish('volley.v1.ctl.x', '{}')).not.toThrow()
      await during(third.close())
    })
  })
}
