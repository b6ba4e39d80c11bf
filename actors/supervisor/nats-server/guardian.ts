/**
 * The guardian of a nats-server: `guardian.ts BINARY RUN_DIR`. Starts the server, and again when it dies; kills it and
 * removes the run's folder when the pipe from its parent closes, whatever way the parent died. Signals that a terminal
 * sends to the whole process group are not for it: requests that still run need the server.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import process from 'node:process'
import { endWithParent } from '../../../runtime/platform.ts'
import { runFiles } from './conf.ts'

/** A server that lives shorter than this did not start. */
const STARTED_MS = 2000
const MOST_FAILED_STARTS = 5

const [binary = '', runDir = ''] = process.argv.slice(2)
const files = runFiles(runDir)
let server: ChildProcess | undefined
let failedStarts = 0

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
endWithParent(() => end(0))
start()

function start(): void {
  const startedAt = performance.now()
  server = spawn(binary, ['-c', files.conf], { stdio: ['ignore', 'ignore', 'ignore'] })
  server.once('error', (error) => fail(error.message))
  server.once('exit', () => {
    failedStarts = performance.now() - startedAt < STARTED_MS ? failedStarts + 1 : 0
    if (failedStarts > MOST_FAILED_STARTS) return fail(lastLogLine())
    setTimeout(start, failedStarts > 1 ? 100 * failedStarts : 0)
  })
}

function fail(reason: string): void {
  process.stderr.write(`${reason}\n`)
  end(1)
}

function lastLogLine(): string {
  try {
    const lines = readFileSync(files.log, 'utf8').trim().split('\n')
    return lines.findLast((line) => line.includes('[FTL]') || line.includes('[ERR]')) ?? lines.at(-1) ?? ''
  } catch {
    return `${binary} ended at once and left no log`
  }
}

function end(code: number): void {
  server?.removeAllListeners('exit')
  server?.kill('SIGKILL')
  rmSync(runDir, { recursive: true, force: true, maxRetries: 3 })
  process.exit(code)
}
