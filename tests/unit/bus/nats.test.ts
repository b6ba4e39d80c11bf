import { createServer } from 'node:net'
import { connect } from '@nats-io/transport-node'
import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bus } from '../../../runtime/bus/bus.ts'
import { missingSettings, requireApiLevel, requireSettings } from '../../../runtime/bus/capabilities.ts'
import { natsBus } from '../../../runtime/bus/nats.ts'
import { parseAckSubject } from '../../../runtime/bus/nats-pull.ts'
import { subjects } from '../../../runtime/bus/subjects.ts'
import { HOPS } from '../../../runtime/bus/topology.ts'
import { freePort, type NatsServer, natsServerPath, startNatsServer } from '../../helpers/nats-server.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const caught = (promise: Promise<unknown>): Promise<{ code?: string; remedy?: string; message?: string }> =>
  promise.then(() => ({}), (error) => error)

describe('capabilities', () => {
  it('requireApiLevel() refuses a server below the floor in one line with a remedy', () => {
    expect(() => requireApiLevel(3, '2.12.8')).not.toThrow()
    for (const level of [undefined, 0, 2]) {
      expect(() => requireApiLevel(level, '2.9.10')).toThrow(
        expect.objectContaining({
          code: 'server_too_old',
          message: expect.stringContaining('2.9.10'),
          remedy: expect.any(String),
        }),
      )
    }
  })

  it('requireSettings() names what the server left out', () => {
    expect(missingSettings({ a: 1, b: ['x'] }, { a: 1, b: ['x'], c: 2 })).toEqual([])
    expect(() => requireSettings('stream X', { a: 1, ttl: true }, { a: 1 })).toThrow(/ttl of stream X/)
  })
})

describe('parseAckSubject()', () => {
  it('reads the form of one account and the form with a domain', () => {
    const parsed = { delivery: 2, seq: 30, consumerSeq: 4, waiting: 7 }
    expect(parseAckSubject('$JS.ACK.VOLLEY_HOPS.prefill.2.30.4.1700000000.7')).toEqual(parsed)
    expect(parseAckSubject('$JS.ACK.domain.hash.VOLLEY_HOPS.prefill.2.30.4.1700000000.7.token')).toEqual(parsed)
  })
})

describe('natsBus() without a usable server', () => {
  it('fails with bus_unreachable and a remedy where nobody listens', async () => {
    const error = await caught(natsBus({ servers: `nats://127.0.0.1:${await freePort()}`, name: 'test' }))
    expect(error).toMatchObject({ code: 'bus_unreachable', remedy: expect.stringContaining('nats-server') })
  })

  it('fails with bus_unreachable where somebody listens who says nothing, and never shows the password', async () => {
    const mute = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => mute.once('listening', resolve))
    const { port } = mute.address() as { port: number }
    const error = await caught(natsBus({ servers: `nats://me:hidden@127.0.0.1:${port}`, name: 'test' }))
    expect(error.code).toBe('bus_unreachable')
    expect(error.message).not.toContain('hidden')
    mute.close()
  })

  it('stops connecting on abort', async () => {
    const mute = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => mute.once('listening', resolve))
    const { port } = mute.address() as { port: number }
    const abort = new AbortController()
    const connecting = caught(natsBus({ servers: `nats://127.0.0.1:${port}`, name: 'test', signal: abort.signal }))
    await pause(50)
    abort.abort()
    expect((await connecting).code).toBe('cancelled')
    mute.close()
  })

  it.skipIf(!natsServerPath)('fails with bus_unreachable and a remedy where JetStream is off', async () => {
    const server = await startNatsServer({ jetstream: false })
    expect(await caught(natsBus({ servers: server.url, name: 'test' }))).toMatchObject({
      code: 'bus_unreachable',
      remedy: expect.stringContaining('-js'),
    })
    await server.close()
  })

  it.skipIf(!natsServerPath)('logs in with the user and password of the address', async () => {
    const server = await startNatsServer()
    const bus = await natsBus({ servers: server.url.replace('//', '//app:app@'), name: 'test' })
    await bus.close()
    expect((await caught(natsBus({ servers: server.url.replace('//', '//app:wrong@'), name: 'test' }))).code).toBe(
      'bus_unreachable',
    )
    await server.close()
  })
})

describe.skipIf(!natsServerPath)('natsBus()', () => {
  let server: NatsServer
  let buses: Bus[]

  beforeAll(async () => {
    server = await startNatsServer()
    buses = await Promise.all(['one', 'two', 'three', 'four'].map((name) => natsBus({ servers: server.url, name })))
  })
  afterAll(async () => {
    await Promise.all((buses ?? []).map((bus) => bus.close()))
    await server?.close()
  })

  it('setUp() from several processes at once makes one of each and leaves an operator’s settings', async () => {
    await Promise.all(buses.map((bus) => bus.setUp()))
    const nc = await connect({ servers: server.url })
    const jsm = await jetstreamManager(nc)
    await jsm.streams.update(HOPS, { max_bytes: 1_000_000_000 })
    await jsm.streams.update('VOLLEY_EVENTS', { description: 'of an older version' })
    await Promise.all(buses.map((bus) => bus.setUp()))
    const { config } = await jsm.streams.info(HOPS)
    expect(config).toMatchObject({
      retention: 'workqueue',
      storage: 'file',
      allow_msg_ttl: true,
      allow_msg_schedules: true,
      max_bytes: 1_000_000_000,
    })
    expect((await jsm.streams.info('VOLLEY_EVENTS')).config.description).toContain('transitions')
    await nc.close()
  })

  it('VOLLEY_DEAD notes a hop that its holder ended for good', async () => {
    const [bus] = buses
    await bus!.ensurePhase('dead')
    await bus!.append(subjects.hop('dead', 'tiny', 'default', 'req-dead'), '{}')
    const [delivery] = await bus!.pull('dead', { max: 1, expiresMs: 10_000 })
    const nc = await connect({ servers: server.url })
    nc.publish(delivery!.ackSubject, '+TERM by hand')
    const jsm = await jetstreamManager(nc)
    await expect.poll(async () => (await jsm.streams.info('VOLLEY_DEAD')).state.messages).toBe(1)
    await nc.close()
  })

  it('pull() asks again when its consumer was deleted meanwhile', async () => {
    const [bus] = buses
    await bus!.ensurePhase('lost')
    const waiting = bus!.pull('lost', { max: 1, expiresMs: 8_000 })
    const nc = await connect({ servers: server.url })
    const jsm = await jetstreamManager(nc)
    await pause(100)
    await jsm.consumers.delete(HOPS, 'lost')
    await nc.close()
    await bus!.append(subjects.hop('lost', 'tiny', 'default', 'req-lost'), '{}')
    expect(await waiting).toHaveLength(1)
  })

  it('gives back at once a hop that reaches a puller after its abort', async () => {
    const [one, two] = buses as [Bus, Bus]
    await one.ensurePhase('abort')
    for (let n = 0; n < 30; n++) {
      const abort = new AbortController()
      const stopped = one.pull('abort', { max: 1, expiresMs: 5_000, signal: abort.signal }).catch(() => [])
      const stored = two.append(subjects.hop('abort', 'tiny', 'default', `req-${n}`), '{}')
      if (n % 3 !== 0) await stored
      abort.abort()
      const kept = await stopped
      await stored
      const got = kept.length > 0 ? kept : await two.pull('abort', { max: 1, expiresMs: 1_500 })
      expect(got).toHaveLength(1)
      two.ack(got[0]!.ackSubject)
    }
  })

  it('an unknown stream is an error with a remedy, a body over the limit too', async () => {
    const [bus] = buses
    await expect(bus!.append('volley.v1.nowhere', '{}', { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'bus_timeout',
    })
    expect(() => bus!.publish('volley.v1.ctl.x', new Uint8Array(2_000_000))).toThrow(/limit for one message/)
    await expect(bus!.append(subjects.event('x', 'y'), new Uint8Array(2_000_000))).rejects.toMatchObject({
      code: 'body_too_large',
    })
    await expect(bus!.bucket('volley_requests').get('not a key')).rejects.toMatchObject({ code: 'internal' })
  })

  it('a subscriber that throws is reported and harms nobody', async () => {
    const errors: unknown[] = []
    const bus = await natsBus({ servers: server.url, name: 'thrower', onError: (error) => errors.push(error) })
    bus.subscribe('volley.v1.ctl.broken', (message) => void message.json())
    bus.subscribe('volley.v1.ctl.whole', (message) => message.respond('here'))
    bus.publish('volley.v1.ctl.broken', 'not json')
    await expect.poll(() => errors).toEqual([expect.any(SyntaxError)])
    expect((await bus.request('volley.v1.ctl.whole', '', { timeoutMs: 10_000 })).text()).toBe('here')
    await bus.close()
  })

  it('while the server is away every call ends at its own deadline, and none hangs', async () => {
    const [bus] = buses
    await server.kill()
    const codes = await Promise.all(
      [
        bus!.request('volley.v1.ctl.x', '{}', { timeoutMs: 300 }),
        bus!.append(subjects.event('x', 'y'), '{}', { timeoutMs: 300 }),
        bus!.bucket('volley_requests').get('x'),
        bus!.bucket('volley_requests').put('x', '1', { timeoutMs: 300 }),
        bus!.purge(subjects.hopsOfRequest('x')),
        bus!.ensurePhase('away'),
        bus!.setUp(),
      ].map(async (call) => (await caught(call)).code),
    )
    expect(new Set(codes)).toEqual(new Set(['bus_timeout']))
    expect(await bus!.pull('away', { max: 1, expiresMs: 300 })).toEqual([])
    expect(() => bus!.publish('volley.v1.ctl.x', '{}')).not.toThrow()
    await server.start()
    await expect.poll(async () => (await caught(bus!.setUp())).code, { timeout: 40_000 }).toBeUndefined()
  }, 60_000)

  it('close() comes back although the server is away', async () => {
    const bus = await natsBus({ servers: server.url, name: 'last' })
    await server.kill()
    await bus.close()
    await server.start()
  })
})
