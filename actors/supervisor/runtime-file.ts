/**
 * The runtime file: what a `volley serve` leaves while it runs, so that other commands on this machine find it. One
 * folder a run; what a run that was killed left behind is removed by the next.
 * @module
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { newId } from '../../runtime/ids.ts'
import { isAlive, stateDir } from '../../runtime/platform.ts'

const FILE = 'serve.json'

/** A system that runs on this machine. */
export interface RunningSystem {
  pid: number
  /** URL of its nats-server. */
  nats: string
  /** The same as the user who may look at the server itself; only of servers that were started here. */
  natsSystem?: string
  /** URL of its HTTP door. */
  http: string
  /** Path or name of its model; absent = the one that ships. */
  model?: string
  startedMs: number
}

/** Makes a folder for a run of this process. */
export async function makeRunDir(): Promise<string> {
  await removeStale()
  const runDir = stateDir('run', newId(String(process.pid)))
  await mkdir(runDir, { recursive: true, mode: 0o700 })
  return runDir
}

/** Leaves the file; readers see it whole or not at all. */
export async function writeRuntimeFile(runDir: string, system: RunningSystem): Promise<void> {
  const draft = join(runDir, `${FILE}.draft`)
  await writeFile(draft, `${JSON.stringify(system)}\n`, { mode: 0o600 })
  await rename(draft, join(runDir, FILE))
}

/** Systems that run now, oldest first. */
export async function runningSystems(): Promise<RunningSystem[]> {
  const found: RunningSystem[] = []
  for (const { runDir, pid } of await runDirs()) {
    const text = isAlive(pid) ? await readFile(join(runDir, FILE), 'utf8').catch(() => undefined) : undefined
    if (text !== undefined) found.push(JSON.parse(text) as RunningSystem)
  }
  return found.sort((a, b) => a.startedMs - b.startedMs)
}

/** The folder's name begins with the id of the process it belongs to. */
async function runDirs(): Promise<{ runDir: string; pid: number }[]> {
  const names = await readdir(stateDir('run')).catch(() => [])
  return names.map((name) => ({ runDir: stateDir('run', name), pid: Number.parseInt(name) })).filter(({ pid }) =>
    pid > 0
  )
}

async function removeStale(): Promise<void> {
  for (const { runDir, pid } of await runDirs()) {
    if (!isAlive(pid)) await rm(runDir, { recursive: true, force: true, maxRetries: 3 })
  }
}
