/**
 * The nats-server's door: find or fetch one, start it.
 * @module
 */
import process from 'node:process'
import type { Progress } from '../../../runtime/fetch/progress.ts'
import { fetchServer } from './fetch.ts'
import { findServer, namedServer, type ServerBinary } from './find.ts'

export { findServer, namedServer } from './find.ts'
export { type NatsServer, startNatsServer } from './start.ts'
export { PINNED } from './versions.ts'

/** The named one, else one that is here, else fetched. Errors: `nats_server_missing`, `server_too_old`. */
export async function ensureServer(progress?: Progress, signal?: AbortSignal): Promise<ServerBinary> {
  const named = process.env['VOLLEY_NATS_SERVER']
  if (named) return namedServer(named)
  const { found, passedOver } = await findServer()
  return found ?? fetchServer({ passedOver, ...(progress && { progress }), ...(signal && { signal }) })
}
