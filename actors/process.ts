/**
 * What every process of a fleet does alike: join the bus, be listed as a service, leave in order.
 * @module
 */
import type { Bus } from '../runtime/bus/bus.ts'
import { type MicroEndpoint, type MicroService, serveMicro } from '../runtime/bus/micro.ts'
import { natsBus } from '../runtime/bus/nats.ts'
import type { Config } from '../runtime/config/mod.ts'
import { VolleyError } from '../runtime/errors.ts'
import { TRANSFER_MODES, type TransferMode } from '../runtime/transfer/plane.ts'
import { version } from '../runtime/version.ts'

/** Connects and makes the streams and buckets. Errors: `bus_unreachable`, `server_too_old`. */
export async function joinBus(config: Config, name: string, signal: AbortSignal): Promise<Bus> {
  if (config.nats === undefined) {
    throw new VolleyError('bus_unreachable', `Cannot start ${name}: no NATS server was named`, {
      remedy: 'give --nats nats://HOST:PORT, or start everything with "volley serve"',
    })
  }
  const bus = await natsBus({ servers: config.nats, name: `volley ${name}`, signal })
  await bus.setUp()
  return bus
}

/** Lists the process as a service of `nats service ls`. */
export const listService = (bus: Bus, name: string, description: string, endpoints: MicroEndpoint[], id?: string): MicroService =>
  serveMicro(bus, { name, version, description, endpoints, ...(id === undefined ? {} : { id }) })

/** Resolves when the signal fires. */
export const stopped = (signal: AbortSignal): Promise<void> =>
  signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

/**
 * How this process offers bytes. Where memory is forced, NATS is there, too: what a gateway has is in another process than
 * any engine.
 */
export function modesOf({ transfer }: Config): readonly TransferMode[] {
  return transfer === 'auto' ? TRANSFER_MODES : transfer === 'memory' ? ['memory', 'nats'] : [transfer]
}
