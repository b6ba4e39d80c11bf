/**
 * A whole system as a user starts it: `volley serve` and every process below it, on free ports, with a state folder of
 * its own; nothing of it outlives the test. Knows processes and logs; what is asked of the system is in system-http.ts and
 * system-watch.ts.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SystemHttp } from './system-http.ts'
import { NOTHING_LEFT, SystemWatch } from './system-watch.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const READY_MS = 60_000
const STOP_MS = 15_000
/** Short against a KV lease: what was freed within it did not wait for a lease to end. */
export const SOON_MS = 5_000
/** Lines of the log that a failure shows. */
const LOG_LINES = 60

/** Model that these tests serve: the one that ships, unless VOLLEY_TEST_MODEL names another. */
export const testModel: string = process.env['VOLLEY_TEST_MODEL'] ?? join(ROOT, 'models', 'volley-tiny')

export interface SystemOptions {
  /** Another model than {@linkcode testModel}. */
  model?: string
  instances?: number
  /** `prefill=1,decode=1`. */
  labels?: string
  perProcess?: number
  transfer?: 'auto' | 'memory' | 'unix' | 'tcp' | 'nats'
  policy?: string
  /** Further arguments of `volley serve`. */
  flags?: string[]
  /** Added to the environment of all its processes. */
  env?: Record<string, string>
}

/** One line of the process list. */
export interface ProcessInfo {
  pid: number
  parent: number
  group: number
  command: string
}

export interface System {
  /** Of `volley serve`; the group of all that it starts. */
  readonly pid: number
  /** URL of the gateway. */
  readonly url: string
  /** URL of the nats-server. */
  readonly nats: string
  readonly http: SystemHttp
  readonly watch: SystemWatch
  /** What it wrote so far, the last lines. */
  log(): string
  /** Living processes of its group, and its nats-server. */
  processes(): ProcessInfo[]
  /** Of a role, or of `nats-server`; the first of them where there are several. */
  pidOf(what: 'gateway' | 'scheduler' | 'instance' | 'nats-server'): number
  /** Of the process in which an instance lives. */
  pidOfInstance(instance: string): Promise<number>
  /** Runs `volley CMD` of the same checkout against it. */
  volley(...args: string[]): { code: number | null; stdout: string; stderr: string }
  /** Stops it as Ctrl-C does, kills what is left and answers the exit code. */
  close(): Promise<number | null>
}

/** Starts a system; resolves when it says `ready`. Rejects with its log when it does not. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const state = mkdtempSync(join(tmpdir(), 'volley-system-'))
  const { VOLLEY_TEST_MODEL: _, ...rest } = process.env
  const env = { ...rest, ...options.env, VOLLEY_STATE: state }
  const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), 'serve', ...flagsOf(options)], {
    // A group of its own: whatever becomes of this process, the whole group can be ended.
    detached: true,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const killAll = (): void => {
    killGroup(child.pid!)
    rmSync(state, { recursive: true, force: true, maxRetries: 3 })
  }
  process.once('exit', killAll)
  child.once('exit', (code, signal) => lines.push(`volley serve ended (${signal ?? `exit code ${code}`})`))
  const log = (): string => lines.slice(-LOG_LINES).join('\n')
  try {
    const { nats, url } = await ready(child, lines)
    const watch = await SystemWatch.connect(nats)
    return {
      pid: child.pid!,
      url,
      nats,
      watch,
      http: await SystemHttp.connect(url),
      log,
      processes: () => processesOf(child.pid!),
      pidOf(what) {
        const found = processesOf(child.pid!).find(({ command }) => roleOf(command) === what)
        if (!found) throw new Error(`no process of ${what} lives:\n${log()}`)
        return found.pid
      },
      async pidOfInstance(instance) {
        const found = (await watch.client.instances()).find(({ id }) => id === instance)
        if (!found) throw new Error(`no instance ${instance} lives:\n${log()}`)
        return found.pid
      },
      volley(...args) {
        const run = spawnSync(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], {
          env,
          encoding: 'utf8',
          timeout: 60_000,
        })
        return { code: run.status, stdout: run.stdout, stderr: run.stderr }
      },
      async close() {
        await watch.close()
        const code = await stop(child)
        process.off('exit', killAll)
        killAll()
        return code
      },
    }
  } catch (error) {
    killAll()
    throw new Error(`the system did not start: ${(error as Error).message}\n${log()}`, { cause: error })
  }
}

function flagsOf(options: SystemOptions): string[] {
  const { model = testModel, instances, labels, perProcess, transfer, policy, flags = [] } = options
  const given = {
    instances,
    labels,
    'per-process': perProcess,
    transfer,
    policy,
    model,
    port: 0,
    threads: 1,
  }
  const pairs = Object.entries(given).filter(([, value]) => value !== undefined)
  return [...pairs.flatMap(([name, value]) => [`--${name}`, String(value)]), ...flags]
}

function ready(child: ChildProcess, lines: string[]): Promise<{ nats: string; url: string }> {
  return new Promise((resolve, reject) => {
    let nats = ''
    const timer = setTimeout(() => reject(new Error(`not ready after ${READY_MS} ms`)), READY_MS)
    const heard = (line: string): void => {
      lines.push(line)
      const [word, value = ''] = line.split(' ')
      if (word === 'nats') nats = value
      if (word === 'ready') {
        clearTimeout(timer)
        resolve({ nats, url: value })
      }
    }
    for (const stream of [child.stdout!, child.stderr!]) createInterface({ input: stream }).on('line', heard)
    child.once('exit', (code) => reject(new Error(`it ended with code ${code}`)))
    child.once('error', reject)
  })
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const gone = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  child.kill('SIGTERM')
  const late = setTimeout(() => killGroup(child.pid!), STOP_MS)
  return await gone.finally(() => clearTimeout(late))
}

/** Ends every process of a group; harmless when there is none. */
function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // Nothing of it lives.
  }
}

/** Which of ours a command line is. */
function roleOf(command: string): string | undefined {
  if (/guardian\.ts/.test(command)) return 'guardian'
  if (/nats-server\S* -c /.test(command)) return 'nats-server'
  return /cli\/main\.ts (gateway|scheduler|instance)\b/.exec(command)?.[1]
}

/** Living processes of a group, oldest first; those that wait to be reaped are not counted. */
export function processesOf(group: number): ProcessInfo[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat=,args='], { encoding: 'utf8' })
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, pgid, stat = '', command = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
    if (Number(pgid) !== group || stat.startsWith('Z')) return []
    return [{ pid: Number(pid), parent: Number(parent), group, command }]
  })
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return Number(stdout) * 1024
}

/** Waits until `check` answers something that is not false, asking every 20 ms; an Error that it answers is the failure's text. */
export async function eventually<T>(
  check: () => T | Error | false | Promise<T | Error | false>,
  withinMs: number,
): Promise<T> {
  const end = performance.now() + withinMs
  while (true) {
    const answer = await check()
    if (answer !== false && !(answer instanceof Error)) return answer
    if (performance.now() > end) {
      throw answer instanceof Error ? answer : new Error(`not within ${withinMs} ms: ${check}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Waits until a system holds nothing of any request. The time covers a KV lease, which is how a dead process's holds end. */
export async function nothingIsLeft({ watch }: System, withinMs = 45_000): Promise<void> {
  await eventually(async () => {
    const left = JSON.stringify(await watch.leftovers())
    return left === JSON.stringify(NOTHING_LEFT) || new Error(`left over: ${left}`)
  }, withinMs)
}

/** Why systems cannot be started here; undefined = they can. */
export const noSystem: string | undefined = process.platform === 'win32'
  ? 'process groups are needed'
  : existsSync(join(testModel, 'config.json')) || testModel.endsWith('.gguf')
  ? undefined
  : `there is no model at ${testModel}`
