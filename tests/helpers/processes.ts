/**
 * Processes of tests: started in a group of their own, watched by their output, counted by their group.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'

/** A started program. */
export interface Program {
  child: ChildProcess
  /** All it has written to stdout and stderr. */
  stdout(): string
  stderr(): string
  /** Waits for a line of stdout; its first match. Rejects when the program ends first. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Exit code, or the name of the signal. */
  ended: Promise<number | string>
}

/** Starts a program in a process group of its own, whose id is the program's. */
export function startProgram(
  command: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  cwd: string = process.cwd(),
): Program {
  const options = { detached: true, cwd, env: { ...process.env, ...env } }
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string)
  return {
    child,
    ended,
    stdout: () => out,
    stderr: () => err,
    async line(pattern) {
      const over = ended.then((how) => Promise.reject(new Error(`ended (${how}) before ${pattern}: ${out}\n${err}`)))
      over.catch(() => {})
      for (;;) {
        const match = pattern.exec(out)
        if (match) return match
        await Promise.race([once(child.stdout, 'data'), over])
      }
    },
  }
}

/** Ids and command lines of a group's living processes; dead ones that nobody has reaped do not count. Linux only. */
export function groupOf(group: number): { pid: number; words: string[] }[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid)) return []
    try {
      const [state, , pgrp] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
      if (state === 'Z' || state === 'X' || Number(pgrp) !== group) return []
      return [{ pid, words: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter((word) => word !== '') }]
    } catch {
      return []
    }
  })
}

/** Waits until `condition` holds. Rejects after `timeoutMs`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  for (const end = Date.now() + timeoutMs; Date.now() < end;) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`Not within ${timeoutMs} ms: ${what}`)
}
