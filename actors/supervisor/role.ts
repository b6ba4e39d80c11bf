/**
 * One process of the system, kept alive: started again with growing pauses when it dies, told to stop through its pipe,
 * gone when this process is. Knows nothing of what the process does.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { type Clock, sleep } from '../../runtime/clock.ts'
import { toEnvironment } from '../../runtime/config/mod.ts'
import { isLibraryNoise } from '../../runtime/engine/native/environment.ts'
import { PARENT_FD, selfCommand } from '../../runtime/platform.ts'
import type { PlannedProcess } from './plan.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
/** A process that lived so long died of something new: pauses begin anew. */
const SETTLED_MS = 30_000
/** After SIGKILL the kernel may still need a moment. */
const REAP_MS = 2000

/** How a process ended that nobody asked to. */
export interface Death {
  name: string
  code: number | null
  signal: NodeJS.Signals | null
  /** The last line it wrote to stderr. */
  lastLine: string
  /** Deaths in a row, this one included, none of them after a settled life. */
  inRow: number
}

/** What {@linkcode superviseRole} needs. */
export interface RoleOptions {
  /** Module whose first argument is a role. */
  entry: URL
  clock: Clock
  /** Each line the process writes. */
  onLine: (name: string, line: string) => void
  /** Says whether to start it again. */
  onDeath: (death: Death, pauseMs: number) => boolean
}

/** A process under supervision. */
export interface SupervisedRole {
  readonly name: string
  pid(): number | undefined
  /** Tells it to stop, waits, and kills it when `graceMs` is over. */
  stop(graceMs: number): Promise<void>
}

/** Starts it and keeps it alive. */
export function superviseRole({ role, name, config }: PlannedProcess, options: RoleOptions): SupervisedRole {
  const { entry, clock, onLine, onDeath } = options
  let child: ChildProcess
  let stopping = false
  let inRow = 0
  let cancelRestart = () => {}

  function begin(): void {
    const startedMs = clock.monotonic()
    let lastLine = ''
    const { command, args } = selfCommand(entry, [role, '--name', name])
    const env = { ...toEnvironment(config, process.env), [PARENT_FD]: '0' }
    // Name is an argument, so that a list of processes says which is which.
    child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    const heard = (line: string) => {
      if (isLibraryNoise(line)) return
      if (line.trim() !== '') lastLine = line
      onLine(name, line)
    }
    child.stdin!.on('error', () => {})
    for (const stream of [child.stdout!, child.stderr!]) createInterface({ input: stream }).on('line', heard)
    child.once('error', (error) => heard(error.message))
    child.once('close', (code, signal) => {
      if (stopping) return
      inRow = clock.monotonic() - startedMs > SETTLED_MS ? 1 : inRow + 1
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (inRow - 1))
      if (onDeath({ name, code, signal, lastLine, inRow }, pauseMs)) cancelRestart = clock.setTimer(pauseMs, begin)
    })
  }

  begin()
  return {
    name,
    pid: () => child.pid,
    async stop(graceMs) {
      stopping = true
      cancelRestart()
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      const ended = once(child, 'exit')
      if (graceMs > 0) child.stdin!.write('stop\n')
      const done = new AbortController()
      await Promise.race([ended, sleep(clock, graceMs, done.signal)])
      child.kill('SIGKILL')
      await Promise.race([ended, sleep(clock, REAP_MS, done.signal)])
      done.abort()
    },
  }
}
