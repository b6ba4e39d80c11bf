/**
 * The `nats` commands of docs/subjects.md work as they are written, on a real server with the stock tool.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Bus } from '../../runtime/bus/bus.ts'
import { serveMicro } from '../../runtime/bus/micro.ts'
import { natsBus } from '../../runtime/bus/nats.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import { realClock } from '../../runtime/clock.ts'
import { emit } from '../../runtime/pool/perform.ts'
import { lacks } from '../helpers/lacks.ts'
import { findProgram, type NatsServer, natsServerPath, startNatsServer } from '../helpers/nats-server.ts'
import { read } from './sources.ts'

const nats = findProgram('nats', 'NATS_CLI')
const commands = [...read('docs/subjects.md').matchAll(/^nats (.*?)(?: +#.*)?$/gm)].map(([, command = '']) =>
  command.trim()
)
/** They go on until they are stopped: what they show at once is looked at. */
const ENDLESS = /^(?:kv watch|sub '[^']*'$)/
const STOP_MS = 1_500

describe.skipIf(
  lacks(!natsServerPath, 'no nats-server for the commands of docs/subjects.md') ||
    lacks(!nats, 'no nats CLI for them; set NATS_CLI to one'),
)('docs/subjects.md', () => {
  let server: NatsServer
  let bus: Bus
  let ticking: NodeJS.Timeout

  beforeAll(async () => {
    server = await startNatsServer()
    bus = await natsBus({ servers: server.url, name: 'docs' })
    await bus.setUp()
    await bus.ensurePhase('prefill')
    await bus.append(subjects.hop('prefill', 'tiny', 'default', 'ID'), '{"state":"prefill"}')
    await bus.bucket('volley_requests').put('ID', '{"state":"prefill"}')
    await bus.bucket('volley_instances').put('INSTANCE', '{"state":"up"}')
    await bus.bucket('volley_labels').put('INSTANCE', '{"label":"prefill"}')
    bus.subscribe(subjects.allRequestStates, (message) => message.respond('{"state":"prefill"}'))
    serveMicro(bus, {
      name: 'instance',
      version: '0.0.1',
      description: 'instance INSTANCE',
      endpoints: [{ name: 'hop', subject: subjects.handOver('INSTANCE') }],
    })
    const tell = () =>
      emit(bus, realClock, 'ID', { state: 'prefill', epoch: 0, attempt: 1, instance: 'INSTANCE', detail: {} })
    for (let i = 0; i < 3; i++) tell()
    ticking = setInterval(tell, 100)
  })
  afterAll(async () => {
    clearInterval(ticking)
    await bus.close()
    await server.close()
  })

  /** What a command shows, and its exit code; null = it was stopped. */
  async function run(command: string): Promise<{ output: string; code: number | null }> {
    const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!)
    const child = spawn(nats!, words, {
      env: { ...process.env, NATS_URL: server.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    const timer = setTimeout(() => child.kill('SIGKILL'), ENDLESS.test(command) ? STOP_MS : 15_000)
    const [code] = await once(child, 'close') as [number | null]
    clearTimeout(timer)
    return { output, code }
  }

  test('every command is here', () => expect(commands.length).toBeGreaterThan(8))

  test.each(commands)('nats %s', async (command) => {
    const { output, code } = await run(command)
    expect(code, output).toBe(ENDLESS.test(command) ? null : 0)
    expect(output).toMatch(/VOLLEY_|prefill|instance|INSTANCE|\bID\b|"state"/)
  })
})
