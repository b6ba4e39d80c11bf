/**
 * A nats-server that is on this machine already and new enough. Knows where to look, fetches nothing.
 * @module
 */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { VolleyError } from '../../../runtime/errors.ts'
import { runCommand } from '../../../runtime/fetch/command.ts'
import { cacheDir } from '../../../runtime/platform.ts'
import { FLOOR, isNewEnough, PINNED } from './versions.ts'

/** A server's program. */
export interface ServerBinary {
  path: string
  version: string
  /** Where it was found, in words. */
  origin: string
}

const EXE = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server'

/** Where the fetched one is kept. */
export const cachedServer = (): string => cacheDir(`nats-server-${PINNED}`, EXE)

/** The one that `VOLLEY_NATS_SERVER` names. Errors: `nats_server_missing`, `server_too_old`. */
export async function namedServer(path: string): Promise<ServerBinary> {
  const version = await versionOf(path)
  if (version === undefined) {
    throw new VolleyError('nats_server_missing', `Cannot run the nats-server that VOLLEY_NATS_SERVER names: ${path}`, {
      param: 'VOLLEY_NATS_SERVER',
      remedy: 'name a nats-server program, or unset the variable to have one found or fetched',
    })
  }
  if (!isNewEnough(version)) {
    throw new VolleyError(
      'server_too_old',
      `nats-server ${version} at ${path} is too old: ${FLOOR.join('.')} is needed`,
      {
        param: 'VOLLEY_NATS_SERVER',
        remedy: 'unset VOLLEY_NATS_SERVER to have a newer one found or fetched',
      },
    )
  }
  return { path, version, origin: 'VOLLEY_NATS_SERVER' }
}

/** The first that is new enough, the fetched one before all others; and what was passed over, in words. */
export async function findServer(): Promise<{ found: ServerBinary | undefined; passedOver: string[] }> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const folders = [
    ...onPath,
    join(homedir(), 'go', 'bin'),
    '/usr/sbin',
    '/usr/local/bin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
  ]
  const candidates = [
    { path: cachedServer(), origin: 'fetched earlier' },
    ...[...new Set(folders)].map((folder) => ({ path: join(folder, EXE), origin: 'this machine' })),
  ]
  const passedOver: string[] = []
  for (const { path, origin } of candidates) {
    if (!(await access(path, constants.X_OK).then(() => true, () => false))) continue
    const version = await versionOf(path)
    if (version !== undefined && isNewEnough(version)) return { found: { path, version, origin }, passedOver }
    passedOver.push(
      version === undefined ? `${path} does not run` : `${path} is ${version}, too old (${FLOOR.join('.')} is needed)`,
    )
  }
  return { found: undefined, passedOver }
}

/** `2.15.1` of `nats-server: v2.15.1`; undefined when it does not run. */
export async function versionOf(path: string): Promise<string | undefined> {
  const { code, output } = await runCommand(path, ['--version'], { timeoutMs: 5000 })
  return code === 0 ? /\bv?(\d+\.\d+\.\d+)\b/.exec(output)?.[1] : undefined
}
