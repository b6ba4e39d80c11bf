import { spawn, spawnSync } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { findProgram } from '../../helpers/nats-server.ts'
import { eventually, noSystem, processesOf, SOON_MS, startSystem, type System } from '../../helpers/system.ts'
import { endless, type Question } from '../../helpers/system-http.ts'

const cli = findProgram('nats', 'NATS_CLI')
if (noSystem) console.log(`systems are not started: ${noSystem}`)
if (!cli) console.log('the nats CLI was not found: what it shows is not looked at. Set NATS_CLI to one.')

const short: Question = { path: 'completions', prompt: 'The fox', max_tokens: 8, temperature: 0 }

describe.skipIf(noSystem !== undefined)('people look at a running system', () => {
  let system: System
  let id: string
  beforeAll(async () => {
    system = await startSystem({ labels: 'prefill=1,decode=1' })
    id = (await system.http.ask(short)).id
  }, 120_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
  })
  afterAll(() => system?.close())

  /** A request that is in decode, and a way to wait for its answer. */
  async function running(): Promise<{ id: string; answer: Promise<{ status: number; text: string }> }> {
    const claim = system.watch.nextClaim('decode')
    const answer = system.http.ask(endless)
    const early = answer.then(({ text }) => Promise.reject(new Error(`answered too early: ${text.slice(0, 300)}`)))
    return { id: (await Promise.race([claim, early])).id, answer }
  }

  describe.skipIf(!cli)('by the nats CLI', () => {
    function nats(...args: string[]): string {
      const { status, stdout, stderr } = spawnSync(cli!, ['--server', system.nats, ...args], {
        encoding: 'utf8',
        timeout: 15_000,
      })
      expect(status, `nats ${args.join(' ')}: ${stdout}${stderr}`).toBe(0)
      return stdout + stderr
    }

    it('services: gateway, scheduler and an entry for each instance, with live numbers', () => {
      const list = nats('service', 'ls')
      for (const name of ['gateway', 'scheduler', 'instance']) expect(list).toContain(name)
      expect(list.match(/instance-\w+-\d+, model/g)).toHaveLength(2)
      for (const name of ['gateway', 'scheduler', 'instance']) {
        expect(nats('service', 'info', name)).toContain('Endpoints')
      }
      expect(nats('service', 'stats', 'instance')).toContain('instance')
      expect(nats('service', 'stats', 'instance', '--json')).toContain('"blocksFree"')
    })

    it('streams with their descriptions, where everything waits, and the pools', async () => {
      const list = nats('stream', 'ls')
      for (const stream of ['VOLLEY_HOPS', 'VOLLEY_EVENTS', 'VOLLEY_DEAD']) expect(list).toContain(stream)
      const { id, answer } = await running()
      const waiting = nats('stream', 'subjects', 'VOLLEY_HOPS')
      expect(waiting).toContain(`volley.v1.hop.decode.${system.http.model}.default.${id}`)
      expect(waiting).toContain(`volley.v1.timer.${id}.deadline`)
      const pools = nats('consumer', 'report', 'VOLLEY_HOPS')
      for (const phase of ['prefill', 'transfer', 'decode']) expect(pools).toContain(phase)
      expect(await system.watch.client.cancel(id)).toBe('applied')
      await answer
    })

    it('buckets: records, instances, labels with their history', async () => {
      expect(nats('kv', 'get', 'volley_requests', id, '--raw')).toMatch(/^\{"state":"done"/)
      const [first] = system.watch.instances()
      expect(nats('kv', 'get', 'volley_instances', first!.id, '--raw')).toMatch(/^\{"state":"up"/)
      expect(nats('kv', 'history', 'volley_labels', first!.id)).toMatch(/PUT.*\{"label":".*"by":"start"\}/)
      const whole = nats('sub', '--stream', 'KV_volley_labels', '--all', `$KV.volley_labels.${first!.id}`, '--count', '1')
      expect(whole).toMatch(/\{"label":"(?:prefill|decode)","since":"[^"]+","reason":"named by --labels",.*"by":"start"\}/)
      expect(nats('kv', 'ls')).toContain('volley_models')
    })

    it('transitions, as they happen and afterwards', async () => {
      const heard = spawn(cli!, ['--server', system.nats, 'sub', 'volley.v1.evt.>', '--count', '3'])
      let live = ''
      for (const stream of [heard.stdout, heard.stderr]) {
        stream.on('data', (chunk: Buffer) => (live += chunk.toString()))
      }
      await eventually(() => live.includes('Subscribing'), SOON_MS)
      const { id } = await system.http.ask(short)
      await eventually(() => heard.exitCode === 0, SOON_MS)
      expect(live).toContain(`volley.v1.evt.${id}.admitted`)
      const road = ['admitted', 'prefill', 'claimed', 'transfer', 'claimed', 'decode', 'claimed', 'done']
      const stored = nats(
        'sub',
        '--stream',
        'VOLLEY_EVENTS',
        '--all',
        `volley.v1.evt.${id}.>`,
        '--count',
        String(road.length),
      )
      const states = [...stored.matchAll(new RegExp(`volley\\.v1\\.evt\\.${id}\\.(\\w+)`, 'g'))].map(([, state]) =>
        state
      )
      expect(states).toEqual(road)
    })

    it('one request by its id', () => {
      const answer = nats('req', `volley.v1.request.${id}.state`, '', '--raw')
      expect(JSON.parse(answer.slice(answer.indexOf('{')))).toMatchObject({
        id,
        state: 'done',
        history: expect.any(Array),
      })
    })
  })

  describe('by volley', () => {
    const lines = (text: string): Record<string, unknown>[] => text.trim().split('\n').map((line) => JSON.parse(line))
    function volley(...args: string[]): Record<string, unknown>[] {
      const { code, stdout, stderr } = system.volley(...args, '--json')
      expect(code, stderr).toBe(0)
      return lines(stdout)
    }

    it('ps and cancel', async () => {
      const seen = await running()
      expect(volley('ps', '--nats', system.nats).find((row) => row['id'] === seen.id)).toMatchObject({ state: 'decode' })
      await system.watch.client.cancel(seen.id)
      await seen.answer
      // One of its own: a program that starts slowly is given all the time there is.
      const { id, answer } = await running()
      expect(volley('cancel', id, '--nats', system.nats)).toEqual([{ id, outcome: 'applied' }])
      expect((await answer).status).toBeGreaterThanOrEqual(400)
      expect(volley('ps').find((row) => row['id'] === id)).toMatchObject({ state: 'cancelled' })
    })

    it('trace', () => {
      const steps = volley('trace', id)
      expect(steps.every((step) => step['id'] === id)).toBe(true)
      expect(JSON.stringify(steps)).toContain('decode')
      const unknown = system.volley('trace', 'req-unknown', '--json')
      expect([unknown.code, unknown.stdout]).toEqual([1, ''])
    })

    it('run and chart', () => {
      const [answer] = volley(
        'run',
        'Tell me about a fox.',
        '--max-tokens',
        '12',
        '--temperature',
        '0',
        '--url',
        system.url,
      )
      expect(answer).toMatchObject({
        outputTokens: expect.any(Number),
        finish: expect.any(String),
        text: expect.any(String),
      })
      expect(volley('chart', 'llm')[0]).toMatchObject({
        pipeline: expect.stringContaining('llm@'),
        mermaid: expect.stringContaining('stateDiagram'),
      })
    })
  })

  it('SIGKILL of volley serve takes everything with it, nats-server too, within a second', async () => {
    const { pid } = system
    const before = processesOf(pid).map(({ command }) => command)
    expect(before.filter((command) => /main\.ts (gateway|scheduler|instance)|nats-server/.test(command)).length)
      .toBeGreaterThanOrEqual(5)
    process.kill(pid, 'SIGKILL')
    await eventually(() => {
      const left = processesOf(pid)
      return left.length === 0 || new Error(`left: ${left.map(({ command }) => command).join('\n')}`)
    }, 1_000)
  })
})
