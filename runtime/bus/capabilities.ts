/**
 * What the server must be able to do. Servers below the floor ignore options they do not know without a word, so the
 * level is asked once at the start, and every stream's configuration is read back.
 * @module
 */
import { VolleyError } from '../errors.ts'

/** JetStream API level with message TTLs, schedules and per-key ageing: late 2.12. */
const REQUIRED_API_LEVEL = 3

const REMEDY = 'use nats-server 2.12.8 or later (2.15.1 is what Volley fetches by itself)'

/** Refuses a server below the floor: `server_too_old`. `level` is undefined where the server has no such notion. */
export function requireApiLevel(level: number | undefined, version: string): void {
  if (level !== undefined && level >= REQUIRED_API_LEVEL) return
  const has = level === undefined ? 'none' : String(level)
  throw new VolleyError(
    'server_too_old',
    `nats-server ${version} is too old: JetStream API level ${REQUIRED_API_LEVEL} is needed, it has ${has}`,
    { remedy: REMEDY },
  )
}

/** Names of the wanted settings that the server does not have. */
export function missingSettings(wanted: object, actual: object): string[] {
  const have = new Map(Object.entries(actual))
  return Object.entries(wanted)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(have.get(name)))
    .map(([name]) => name)
}

/** Refuses a server that took a configuration but left parts of it out: `server_too_old`. */
export function requireSettings(what: string, wanted: object, actual: object): void {
  const missing = missingSettings(wanted, actual)
  if (missing.length === 0) return
  throw new VolleyError('server_too_old', `The server does not keep ${missing.join(', ')} of ${what}`, {
    remedy: REMEDY,
  })
}
