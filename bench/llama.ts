/**
 * node-llama-cpp as a competitor of `bench engine`: fetched by npm into the user's cache when it is asked for, never into
 * the project, and run in a process of its own.
 * @module
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Runner } from './engine-runs.ts'
import { VolleyError } from '../runtime/errors.ts'
import { lastLine, runCommand } from '../runtime/fetch/command.ts'
import { cacheDir, selfCommand } from '../runtime/platform.ts'

const PINNED = 'node-llama-cpp@3.22.1'
const FETCH_MS = 300_000
const ANSWER_MS = 120_000

/** The cache folder that holds it. Error: `download_failed`. */
async function fetchLlama(): Promise<string> {
  const folder = cacheDir('bench', PINNED)
  if (existsSync(join(folder, 'node_modules', 'node-llama-cpp', 'package.json'))) return folder
  await mkdir(folder, { recursive: true })
  const flags = ['--no-save', '--ignore-scripts', '--loglevel=error', '--fetch-retries=1']
  const { code, output } = await runCommand('npm', ['install', '--prefix', folder, ...flags, PINNED], { timeoutMs: FETCH_MS })
  if (code === 0) return folder
  await rm(folder, { recursive: true, force: true })
  throw new VolleyError('download_failed', `npm could not bring ${PINNED}: ${lastLine(output)}`)
}

/** Starts it on a GGUF file. Errors: `download_failed`, `engine_failed`. */
export async function llamaRunner(modelPath: string, threads: number, context: number): Promise<Runner> {
  const program = new URL('./llama-program.ts', import.meta.url)
  const { command, args } = selfCommand(program, [await fetchLlama(), modelPath, String(threads), String(context)])
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS)
    const { value } = await lines.next()
    clearTimeout(timer)
    if (typeof value === 'string') return value
    throw new VolleyError('engine_failed', `${PINNED} ended or gave no answer; it takes GGUF files alone`)
  }
  const ask = async (question: string): Promise<number> => {
    child.stdin.write(`${question}\n`)
    return Number((await next()).split(' ')[1])
  }
  await next()
  return {
    name: 'node-llama-cpp',
    prefill: (length) => ask(`prefill ${length}`),
    decode: (batch, tokens) => (batch === 1 ? ask(`decode ${tokens}`) : undefined),
    close: async () => void child.kill('SIGKILL'),
  }
}
