/**
 * Systems of one instance each, on one engine after the other, for `bench serve --engines`: started as a user starts
 * them, and stopped.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { VolleyError } from '../runtime/errors.ts'
import { projectRoot, selfCommand } from '../runtime/platform.ts'

const READY_MS = 300_000

/** What `load` makes of each. */
export async function onEach<T>(engines: readonly string[], model: string, load: (url: string) => Promise<T>): Promise<T[]> {
  const found: T[] = []
  for (const engine of engines) found.push(await withSystem(engine, model, load))
  return found
}

/** Runs `load` against a system whose instances compute with `engine`. Error: `engine_failed` when it does not start. */
async function withSystem<T>(engine: string, model: string, load: (url: string) => Promise<T>): Promise<T> {
  const flags = ['--engine', engine, '--port', '0', ...(model === '' ? [] : ['--model', model])]
  const { command, args } = selfCommand(join(projectRoot, 'cli', 'main.ts'), ['serve', ...flags])
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new VolleyError('engine_failed', `A system on ${engine} did not start: ${why}`))
    const timer = setTimeout(() => fail(`not ready after ${READY_MS / 1000} s`), READY_MS)
    child.once('exit', (code) => fail(`exit code ${code}`))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, found] = /^ready (\S+)/.exec(line) ?? []
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
  })
  try {
    return await load(await url)
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  }
}
