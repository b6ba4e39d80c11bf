import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { runningSystems } from '../../../actors/supervisor/runtime-file.ts'
import { selfCommand } from '../../../runtime/platform.ts'
import { lacks } from '../../helpers/lacks.ts'
import { eventually, groupOf, type Program, startProgram } from '../../helpers/processes.ts'

// Deno's child_process reports the signal that was sent, whatever code the process then ended with.
const onNode = test.skipIf(lacks('Deno' in globalThis, 'exit codes after a signal are looked at on Node'))

// A short path: unix sockets and file names have limits.
const state = mkdtempSync(join(tmpdir(), 'vs-'))
process.env['VOLLEY_STATE'] = state
process.env['NODE_COMPILE_CACHE'] = join(state, 'compiled')
afterAll(() => rmSync(state, { recursive: true, force: true }))

const programs: Program[] = []
afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    for (const { pid } of groupOf(child.pid!)) process.kill(pid, 'SIGKILL')
    await ended
  }
})

function toyServe(args: string[] = [], env: Record<string, string> = {}): Program {
  const entry = fileURLToPath(new URL('./toy/serve.ts', import.meta.url))
  const { command, args: own } = selfCommand(entry, ['--port', '0', ...args])
  const program = startProgram(command, own, env)
  programs.push(program)
  return program
}

async function readyToyServe(
  args: string[] = [],
): Promise<{ serve: Program; http: string; nats: string; group: number }> {
  const serve = toyServe(args)
  const [, nats = ''] = await serve.line(/^nats (\S+)$/m)
  const [, http = ''] = await serve.line(/^ready (\S+)$/m)
  return { serve, http, nats, group: serve.child.pid! }
}

const gone = (group: number) =>
  eventually(`no process of group ${group} is left`, () => groupOf(group).length === 0)
const processOf = (group: number, word: string) => groupOf(group).find(({ words }) => words.includes(word))
interface Answer {
  pid: number
  nats: string
}
const ask = async (url: string) => await (await fetch(url)).json() as Answer
/** A request that is at the gateway, and lasts so long. */
async function running(http: string, ms: number): Promise<{ answer: Promise<Answer | 'cut off'> }> {
  const response = await fetch(`${http}/?ms=${ms}`)
  return { answer: response.json().catch(() => 'cut off') }
}

describe.skipIf(process.platform !== 'linux')('volley serve', () => {
  test('starts one process a role in its group, names them on their command lines, and hands each the NATS', async () => {
    const { http, nats, group } = await readyToyServe(['--instances', '3', '--per-process', '2'])
    const roles = groupOf(group).flatMap(({ words }) =>
      words.filter((w) => ['gateway', 'scheduler', 'instance'].includes(w))
    )
    expect(roles.sort()).toEqual(['gateway', 'instance', 'instance', 'scheduler'])
    expect((await ask(http)).nats).toBe(nats)
  })

  onNode('leaves a runtime file while it runs', async () => {
    const { serve, http, nats } = await readyToyServe()
    expect(await runningSystems()).toMatchObject([{ pid: serve.child.pid, http, nats }])
    serve.child.kill('SIGTERM')
    expect(await serve.ended).toBe(0)
    expect(await runningSystems()).toEqual([])
    expect(readdirSync(join(state, 'run'))).toEqual([])
  })

  test('SIGTERM to the whole group: running requests finish, then everything ends with 0', async () => {
    const { serve, http, group } = await readyToyServe()
    const { answer } = await running(http, 1_000)
    process.kill(-group, 'SIGTERM')
    expect(await answer).toHaveProperty('pid')
    expect(await serve.ended).toBe(0)
    await gone(group)
  })

  onNode('signals within one key press are one; a second stops at once', async () => {
    const { serve, http, group } = await readyToyServe()
    const { answer } = await running(http, 60_000)
    serve.child.kill('SIGINT')
    serve.child.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(serve.child.exitCode).toBeNull()
    await eventually('the second press is heard', () => {
      serve.child.kill('SIGINT')
      return serve.child.exitCode !== null
    })
    expect(await serve.ended).toBe(130)
    expect(await answer).toBe('cut off')
    await gone(group)
  })

  onNode('--grace bounds how long it waits', async () => {
    const { serve, http, group } = await readyToyServe(['--grace', '300ms'])
    const { answer } = await running(http, 60_000)
    serve.child.kill('SIGTERM')
    expect(await serve.ended).toBe(0)
    expect(await answer).toBe('cut off')
    await gone(group)
  })

  test('SIGKILL of serve leaves no process and the next run cleans up', async () => {
    const { serve, group } = await readyToyServe()
    serve.child.kill('SIGKILL')
    await serve.ended
    await gone(group)
    expect(await runningSystems()).toEqual([])
    const next = await readyToyServe()
    expect(readdirSync(join(state, 'run'))).toHaveLength(1)
    next.serve.child.kill('SIGTERM')
    await next.serve.ended
  })

  test.each([
    ['no-model', 3, 'Cannot find model /no/such/model: no such file. To fix: give another [model_file_missing]\n'],
    ['crash', 1, 'Cannot start: out of luck. To fix: be lucky [engine_failed]\n'],
  ])('an instance that ends at start (%s) is one clear error and its exit code', async (how, code, line) => {
    const serve = toyServe([], { TOY_INSTANCE: how, TOY_GATEWAY: 'never-ready' })
    expect(await serve.ended).toBe(code)
    expect(serve.stderr().endsWith(line)).toBe(true)
    expect(serve.stderr().split(line)).toHaveLength(2)
    await gone(serve.child.pid!)
  })

  onNode('a role that does not hear is killed when the grace is over', async () => {
    const serve = toyServe(['--grace', '200ms'], { TOY_SCHEDULER: 'deaf' })
    await serve.line(/^ready /m)
    serve.child.kill('SIGTERM')
    expect(await serve.ended).toBe(0)
    await gone(serve.child.pid!)
  })

  test('a taken port is told before anything starts', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as { port: number }
    const { command, args } = selfCommand(fileURLToPath(new URL('./toy/serve.ts', import.meta.url)), [
      '--port',
      String(port),
    ])
    const serve = startProgram(command, args, {})
    expect(await serve.ended).toBe(3)
    expect(serve.stderr()).toContain('[port_taken]')
    expect(serve.stdout()).toBe('')
    holder.close()
  })

  test('with --nats no server is started', async () => {
    const first = await readyToyServe()
    const second = await readyToyServe(['--nats', first.nats])
    expect(second.nats).toBe(first.nats)
    expect(groupOf(second.group).some(({ words }) => words[0]?.endsWith('nats-server'))).toBe(false)
  })
})

describe.skipIf(process.platform !== 'linux')('volley serve, one process after the other killed', () => {
  let system: Awaited<ReturnType<typeof readyToyServe>>
  beforeAll(async () => {
    system = await readyToyServe()
    programs.length = 0
  })
  afterAll(async () => {
    system.serve.child.kill('SIGTERM')
    const code = await system.serve.ended
    if (!('Deno' in globalThis)) expect(code).toBe(0)
    await gone(system.group)
  })
  const killed = async (find: (group: number) => number | undefined) => {
    const before = find(system.group)!
    process.kill(before, 'SIGKILL')
    await eventually('another one runs', () => (find(system.group) ?? before) !== before)
  }
  const server = (group: number) => groupOf(group).find(({ words }) => words[0]?.endsWith('nats-server'))?.pid
  const guardian = (group: number) =>
    groupOf(group).find(({ words }) => words.some((w) => w.endsWith('guardian.ts')))?.pid

  test.each(['gateway', 'scheduler', 'instance'])('a %s is started again, at the same address', async (role) => {
    await killed((group) => processOf(group, role)?.pid)
    await eventually('the gateway answers', () => ask(system.http).then(() => true, () => false))
  })

  test('a nats-server is started again on its port', async () => {
    await killed(server)
    await eventually('it greets on the same port', () => greets(system.nats))
  })

  test('a guardian is started again, and its orphaned server replaced', async () => {
    await killed(guardian)
    await eventually('a server greets on the same port', () => greets(system.nats))
    const servers = () => groupOf(system.group).filter(({ words }) => words[0]?.endsWith('nats-server')).length
    await eventually('there is one server', () => servers() === 1)
  })
})

async function greets(url: string): Promise<boolean> {
  const { connect } = await import('node:net')
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.once('data', (chunk) => (socket.destroy(), resolve(chunk.toString().startsWith('INFO')))).once(
      'error',
      () => resolve(false),
    ).once('close', () => resolve(false))
  })
}
