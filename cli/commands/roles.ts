/**
 * `volley gateway`, `scheduler`, `instance`: one process of a fleet. Under a supervisor it stops when it is told to
 * through its pipe, and leaves to the supervisor the signals that reach the whole process group: a gateway's last
 * requests need the instances.
 * @module
 */
import process from 'node:process'
import { type Config, type Role, type Setting, SETTINGS } from '../../runtime/config/mod.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { locateModel } from '../../runtime/models/locate.ts'
import type { CostProfile } from '../../runtime/policy/mod.ts'
import { onParentLine } from '../../runtime/platform.ts'
import type { Command } from '../command.ts'
import { stopSignal } from '../ui/signals.ts'

/** A role's whole life: resolves when it has ended, which it starts to do when the signal fires. */
type RunRole = (config: Config, signal: AbortSignal, pace?: CostProfile) => Promise<void>

/** Each loaded only by the process that plays it. */
const ROLES: Record<Role, () => Promise<RunRole>> = {
  gateway: async () => (await import('../../actors/gateway/main.ts')).runGateway,
  scheduler: async () => (await import('../../actors/scheduler/main.ts')).runScheduler,
  instance: async () => (await import('../../actors/instance/main.ts')).runInstance,
}

function role(name: Role, summary: string): Command {
  const settings = (Object.entries(SETTINGS) as [keyof Config, Setting<unknown>][])
    .filter(([, { roles }]) => roles.includes(name))
    .map(([key]) => key)
  return {
    name,
    summary,
    settings,
    async run(input) {
      const signal = stopOf()
      const { config } = await input.resolve()
      if (config.nats === undefined) {
        throw new VolleyError('invalid_flag', `volley ${name} needs a nats-server to join`, {
          param: 'nats',
          remedy: `give --nats nats://HOST:4222, or start everything on this machine by \`volley serve\``,
        })
      }
      const model = config.model === undefined ? undefined : await locateModel(config.model)
      const run = await ROLES[name]()
      const pace = config.profilePace === undefined ? undefined : (await import('../../runtime/sim/profiles.ts')).profileOf(config.profilePace)
      await run({ ...config, model }, signal, pace)
    },
  }
}

function stopOf(): AbortSignal {
  const told = new AbortController()
  if (!onParentLine((line) => line === 'stop' && told.abort())) return stopSignal()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  return told.signal
}

/** `volley gateway`. */
export const gateway = role('gateway', 'One gateway of a larger fleet: HTTP in, hops out')
/** `volley scheduler`. */
export const scheduler = role('scheduler', 'One scheduler of a larger fleet: gives every hop to an instance')
/** `volley instance`. */
export const instance = role('instance', 'Instances of a larger fleet, in one process: engines that run every phase')
