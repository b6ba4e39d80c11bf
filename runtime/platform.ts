/**
 * Where runtimes and machines differ: how to start one of our own processes, how to end with the parent, where caches
 * and state lie. Nothing else in the house asks which runtime it runs on.
 * @module
 */
import { Socket } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The runtime this process runs on. */
export const runtimeName: 'node' | 'deno' = 'Deno' in globalThis ? 'deno' : 'node'

/** Its version, without a `v`. */
export const runtimeVersion = (): string => process.versions[runtimeName] ?? process.version.slice(1)

/** Root of the project or of the installed package. */
export const projectRoot: string = fileURLToPath(new URL('..', import.meta.url))

/** Program and arguments that run a module of ours in a process of its own, on the same runtime. */
export function selfCommand(module: string | URL, args: readonly string[]): { command: string; args: string[] } {
  const path = module instanceof URL ? fileURLToPath(module) : module
  const runtimeArgs = runtimeName === 'deno' ? ['run', '--allow-all', '--quiet'] : []
  return { command: process.execPath, args: [...runtimeArgs, path, ...args] }
}

/** Variable that tells a child which of its file descriptors is the pipe from its parent. */
export const PARENT_FD = 'VOLLEY_PARENT_FD'

let parent: Interface | undefined

/**
 * Ends this process when its parent is gone, whatever way the parent died: the kernel then closes the pipe that the
 * parent held. Does nothing in a process whose parent gave it no such pipe. `onGone` replaces the plain exit.
 */
export function endWithParent(onGone: () => void = () => process.exit(1)): void {
  const given = process.env[PARENT_FD]
  if (given === undefined) return
  // Children of this process must not take the pipe for theirs.
  delete process.env[PARENT_FD]
  const fd = Number(given)
  const pipe = fd === 0 ? process.stdin : new Socket({ fd, readable: true, writable: false })
  pipe.once('close', onGone).once('end', onGone).on('error', onGone)
  parent = createInterface({ input: pipe })
  // The pipe must not keep alive a process that is done.
  if ('unref' in pipe) pipe.unref()
}

/** Hears what the parent writes, line by line, after {@linkcode endWithParent}; false = there is no such parent. */
export function onParentLine(callback: (line: string) => void): boolean {
  parent?.on('line', callback)
  return parent !== undefined
}

/** Holds what was fetched and can be again: models, the nats-server. `VOLLEY_CACHE`, else the user's cache folder. */
export function cacheDir(...parts: string[]): string {
  return join(process.env['VOLLEY_CACHE'] || join(userDir('XDG_CACHE_HOME', '.cache'), 'volley'), ...parts)
}

/** What a running system leaves while it runs. `VOLLEY_STATE`, else the user's state folder. */
export function stateDir(...parts: string[]): string {
  return join(process.env['VOLLEY_STATE'] || join(userDir('XDG_STATE_HOME', '.local/state'), 'volley'), ...parts)
}

/** A folder of the user's own, as XDG has it: a variable set to nothing is not set. On Windows the local application data. */
function userDir(variable: string, fallback: string): string {
  const windows = process.platform === 'win32' ? process.env['LOCALAPPDATA'] : undefined
  return process.env[variable] || windows || join(homedir(), fallback)
}

/** Whether a process of this id lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}
