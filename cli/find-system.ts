/**
 * Which running system a command looks at: the one named, else the one on this machine.
 * @module
 */
import { type RunningSystem, runningSystems } from '../actors/supervisor/runtime-file.ts'
import type { Client } from '../runtime/client/mod.ts'
import { VolleyError } from '../runtime/errors.ts'
import type { Input } from './command.ts'

/** The only `volley serve` on this machine, if any; `flag` says which. Error: `runtime_ambiguous`. */
export async function localSystem(flag: 'nats' | 'url'): Promise<RunningSystem | undefined> {
  const systems = await runningSystems()
  if (systems.length < 2) return systems[0]
  const list = systems.map(({ pid, nats, http }) => `${http} (process ${pid}, --nats ${nats})`).join(', ')
  throw new VolleyError('runtime_ambiguous', `Several systems run on this machine: ${list}`, {
    remedy: `say which by --${flag} URL`,
  })
}

/** URL of the NATS to look at. Errors: `bus_unreachable` when nothing runs here, `runtime_ambiguous`. */
async function findNats(input: Input): Promise<string> {
  const { config: { nats } } = await input.resolve()
  if (nats !== undefined) return nats
  const system = await localSystem('nats')
  if (system) return system.nats
  throw new VolleyError('bus_unreachable', 'No running system was found on this machine', {
    remedy: 'start one by `volley serve`, or name one by --nats nats://HOST:PORT',
  })
}

/** Runs `work` with a client of the system, and closes it after. */
export async function withClient<T>(input: Input, work: (client: Client) => Promise<T>): Promise<T> {
  const nats = await findNats(input)
  const { connect } = await import('../runtime/client/mod.ts')
  const client = await connect({ nats })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}
