import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bus } from '../../../runtime/bus/bus.ts'
import { type MicroService, serveMicro } from '../../../runtime/bus/micro.ts'
import { natsBus } from '../../../runtime/bus/nats.ts'
import { subjects } from '../../../runtime/bus/subjects.ts'
import { findProgram, type NatsServer, natsServerPath, startNatsServer } from '../../helpers/nats-server.ts'

const nats = findProgram('nats', 'NATS_CLI')
if (!natsServerPath) {
  console.log('no nats-server at or above 2.12 found: service discovery is not tested. Set NATS_SERVER to one.')
} else if (!nats) {
  console.log('no nats CLI found: its reading of our services and streams is not tested. Set NATS_CLI to one.')
}

describe.skipIf(!natsServerPath)('serveMicro()', () => {
  let server: NatsServer
  let bus: Bus
  let service: MicroService
  let running = 3

  beforeAll(async () => {
    server = await startNatsServer()
    bus = await natsBus({ servers: server.url, name: 'volley-instance-one' })
    await bus.setUp()
    service = serveMicro(bus, {
      name: 'instance',
      id: 'inst-one',
      version: '0.1.0',
      description: 'decode of tiny',
      metadata: { model: 'tiny' },
      endpoints: [
        {
          name: 'hop',
          subject: subjects.handOver('inst-one'),
          data: () => ({ running, kvUsed: 0.25 }),
          counts: () => ({ requests: 4, errors: 1, processingMs: 10, lastError: 'full' }),
        },
      ],
    })
  })
  afterAll(async () => {
    await bus?.close()
    await server?.close()
  })

  const ask = async (subject: string) =>
    (await bus.request(subject, '', { timeoutMs: 2_000 })).json<Record<string, unknown>>()

  it('answers PING, INFO and STATS with the wire types of ADR-32, to all, by name and by id', async () => {
    for (const [verb, type] of [['PING', 'ping'], ['INFO', 'info'], ['STATS', 'stats']]) {
      for (const suffix of ['', '.instance', '.instance.inst-one']) {
        const answer = await ask(`$SRV.${verb}${suffix}`)
        expect(answer).toMatchObject({
          type: `io.nats.micro.v1.${type}_response`,
          name: 'instance',
          id: 'inst-one',
          version: '0.1.0',
          metadata: { model: 'tiny' },
        })
      }
    }
  })

  it('STATS carries live data and whole nanoseconds', async () => {
    running = 7
    const { endpoints } = (await ask('$SRV.STATS.instance')) as { endpoints: unknown[] }
    expect(endpoints).toEqual([
      {
        name: 'hop',
        subject: 'volley.v1.inst.inst-one.hop',
        queue_group: '',
        num_requests: 4,
        num_errors: 1,
        last_error: 'full',
        processing_time: 10_000_000,
        average_processing_time: 2_500_000,
        data: { running: 7, kvUsed: 0.25 },
      },
    ])
  })

  it('is not listed any more after stop()', async () => {
    const short = serveMicro(bus, { name: 'gateway', version: '0.1.0', description: 'front', endpoints: [] })
    await ask('$SRV.PING.gateway')
    short.stop()
    await expect(ask('$SRV.PING.gateway')).rejects.toMatchObject({ code: 'no_responders' })
  })

  it('refuses a name that is not one token', () => {
    const wrong = { name: 'two words', version: '0.1.0', description: '', endpoints: [] }
    expect(() => serveMicro(bus, wrong)).toThrow(/two words/)
  })

  describe.skipIf(!nats)('as the stock nats CLI reads it', () => {
    const cli = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(nats!, ['--server', server.url, ...args], { timeout: 20_000 })).stdout

    it('service ls, info, stats and ping show the process, its role and its numbers', async () => {
      const listed = await cli('service', 'ls')
      expect(listed).toContain('instance')
      expect(listed).toContain('decode of tiny')
      const info = await cli('service', 'info', 'instance')
      expect(info).toContain('volley.v1.inst.inst-one.hop')
      expect(info).toContain('kvUsed')
      expect(await cli('service', 'stats', 'instance')).toMatch(/inst-one.*hop.*4/)
      expect(await cli('service', 'ping', 'instance')).toContain('inst-one')
    })

    it('stream ls, stream subjects, consumer report, kv ls and account report show the house', async () => {
      await bus.ensurePhase('prefill')
      await bus.append(subjects.hop('prefill', 'tiny', 'default', 'req-one'), '{"state":"prefill"}')
      const streams = await cli('stream', 'ls')
      expect(streams).toMatch(/VOLLEY_HOPS.*hops of running requests/)
      expect(streams).toMatch(/VOLLEY_EVENTS.*transitions/)
      expect(streams).toMatch(/VOLLEY_DEAD.*hops given up/)
      expect(await cli('stream', 'subjects', 'VOLLEY_HOPS')).toContain('volley.v1.hop.prefill.tiny.default.req-one')
      expect(await cli('consumer', 'report', 'VOLLEY_HOPS')).toContain('prefill')
      const requests = bus.bucket('volley_requests')
      await requests.put('req-one', '{"state":"prefill"}', { ttlMs: 60_000 })
      expect(await cli('kv', 'ls')).toContain('volley_requests')
      expect(await cli('kv', 'get', 'volley_requests', 'req-one', '--raw')).toContain('{"state":"prefill"}')
      await requests.delete('req-one')
      expect(await cli('kv', 'ls', 'volley_requests')).not.toContain('req-one')
      expect(await cli('account', 'report', 'connections')).toContain('volley-instance-one')
    })

    it('sub --stream shows the history of a request', async () => {
      await bus.append(subjects.event('req-two', 'admitted'), '{"state":"admitted"}')
      const shown = await cli(
        'sub',
        '--stream',
        'VOLLEY_EVENTS',
        '--all',
        subjects.eventsOfRequest('req-two'),
        '--count',
        '1',
      )
      expect(shown).toContain('{"state":"admitted"}')
    })
  })
})
