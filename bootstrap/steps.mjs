/**
 * What the steps of the set-up share: where things lie, one line of progress, commands that run quietly, and a lock so
 * that two set-ups at once do not break each other.
 * @module
 */
import { spawn } from 'node:child_process'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** The project's root. */
export const root = fileURLToPath(new URL('..', import.meta.url))

export const isDeno = 'Deno' in globalThis

/** Whether an npm script or a Deno task runs this, not a person's own shell. */
export const isScript = Boolean(
  process.env.npm_lifecycle_event || (isDeno && process.env.INIT_CWD && process.env.npm_config_user_agent),
)

/** Where what was fetched is kept: the same place as runtime/platform.ts says. */
export const cache = process.env.VOLLEY_CACHE || join(process.env.XDG_CACHE_HOME || userCache(), 'volley')

function userCache() {
  return (process.platform === 'win32' && process.env.LOCALAPPDATA) || join(homedir(), '.cache')
}

/** Something that a person has to mend: shown as one line. */
export class SetupError extends Error {
  constructor(message, remedy, code = 'setup_failed', exit = 3) {
    super(message)
    this.remedy = remedy
    this.code = code
    this.exit = exit
  }
}

/** Runs `work`; shows `label` while it takes longer than a second, and one line when it is done. */
export async function step(label, work) {
  const started = Date.now()
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`
  const redraw = process.stderr.isTTY ? (text) => process.stderr.write(`\r\x1b[K${text}`) : () => {}
  let shown = false
  const draw = () => {
    if (!shown && !process.stderr.isTTY) process.stderr.write(`volley: ${label} …\n`)
    shown = true
    redraw(`volley: ${label} … ${seconds()}`)
  }
  const timer = setInterval(() => Date.now() - started > 1000 && draw(), 200)
  try {
    const result = await work()
    redraw('')
    process.stderr.write(`volley: ${label}: done in ${seconds()}\n`)
    return result
  } catch (error) {
    redraw('')
    throw error
  } finally {
    clearInterval(timer)
  }
}

/** Commands that run quietly now. */
const running = new Set()

/** Ends them: whoever is stopped leaves none behind. */
export const endQuiet = () => running.forEach((child) => child.kill())

/** Runs a command without input; gives its exit code and the end of what it wrote. Never throws. */
export function quietly(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true, ...options })
    running.add(child)
    let output = ''
    const take = (chunk) => (output = (output + chunk).slice(-4000))
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', (error) => resolve({ code: -1, output: error.message }))
    child.once('close', (code) => {
      running.delete(child)
      resolve({ code: code ?? -1, output: output.trim() })
    })
  })
}

/** npm as a command: the one that runs this script, on the given Node; else the one on the PATH. */
export function npmCommand(node = process.execPath) {
  const running = process.env.npm_execpath
  if (running && basename(running) === 'npm-cli.js') return { command: node, before: [running], options: {} }
  // Node's installers put npm beside node; on Windows it is a script that only a shell can start.
  const windows = process.platform === 'win32'
  const path = `${process.env.PATH ?? ''}${delimiter}${dirname(process.execPath)}`
  return {
    command: windows ? 'npm.cmd' : 'npm',
    before: [],
    options: { shell: windows, env: { ...process.env, PATH: path } },
  }
}

/** The lines of npm's output that say what went wrong, as one. */
export function npmReason(output) {
  const lines = output.split('\n').map((line) => line.replace(/^npm (?:error|ERR!) ?/, '').trim())
  return lines.filter((line) => line && !/complete log|debug-0\.log|^code /.test(line)).slice(0, 2).join('; ') ||
    'no reason given'
}

/** Runs `work` while no other process does the same. A lock whose owner is gone is taken over. */
export async function locked(name, work) {
  const lock = join(cache, 'locks', name)
  await mkdir(dirname(lock), { recursive: true }).catch((error) => unwritable(lock, error))
  while (!(await take(lock))) await new Promise((resolve) => setTimeout(resolve, 100))
  try {
    return await work()
  } finally {
    await rm(lock, { recursive: true, force: true })
  }
}

function unwritable(path, error) {
  throw new SetupError(`Cannot write ${path}: ${error.message}`, 'set VOLLEY_CACHE to a folder you may write', 'cannot_write')
}

async function take(lock) {
  try {
    await mkdir(lock)
    await writeFile(join(lock, 'pid'), String(process.pid))
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') unwritable(lock, error)
  }
  const owner = await ownerOf(lock)
  if (owner === 'alive') return false
  // Moved away before it is removed: of several who wait, one rename succeeds.
  const grave = `${lock}.${process.pid}`
  await rename(lock, grave).then(() => rm(grave, { recursive: true, force: true }), () => {})
  return false
}

async function ownerOf(lock) {
  const pid = Number(await readFile(join(lock, 'pid'), 'utf8').catch(() => ''))
  if (!pid) {
    const made = await stat(lock).catch(() => undefined)
    return made && Date.now() - made.mtimeMs > 5000 ? 'gone' : 'alive'
  }
  try {
    process.kill(pid, 0)
    return 'alive'
  } catch (error) {
    return error.code === 'EPERM' ? 'alive' : 'gone'
  }
}
