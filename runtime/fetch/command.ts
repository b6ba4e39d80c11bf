/**
 * Commands of other tools, run quietly with a deadline.
 * @module
 */
import { spawn } from 'node:child_process'
import process from 'node:process'

/** How a command ended. */
export interface Ran {
  /** Exit code; -1 = it could not be started or was ended by a signal. */
  code: number
  /** End of what it wrote to both outputs. */
  output: string
}

/** What {@linkcode runCommand} is told besides the command. */
export interface RunOptions {
  timeoutMs: number
  env?: Record<string, string>
  cwd?: string
  signal?: AbortSignal
}

/** Runs a command without input. Never throws: a tool that is not there ends with -1 and says so. */
export function runCommand(command: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  const { timeoutMs, env, cwd, signal } = options
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      timeout: timeoutMs,
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal && { signal }),
    })
    let output = ''
    const take = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8000)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', (error) => resolve({ code: -1, output: error.message }))
    child.once('close', (code, killed) => {
      resolve({ code: code ?? -1, output: killed ? `stopped after ${timeoutMs / 1000} s` : output.trim() })
    })
  })
}

/** The last line that says something, for an error's text. */
export function lastLine(output: string): string {
  return output.split('\n').map((line) => line.trim()).filter((line) => line !== '').at(-1) ?? 'no output'
}
