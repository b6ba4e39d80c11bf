/**
 * The rest of the house as the CLI needs it, loaded only by the commands that do: the three roles, a client of a
 * running system. Names and shapes here are what those modules export.
 * @module
 */
import type { Config, Role } from '../runtime/config/mod.ts'
import type { JsonObject } from '../runtime/json.ts'

/** A role's whole life: resolves when it has ended, which it starts to do when the signal fires. */
export type RunRole = (config: Config, signal: AbortSignal) => Promise<void>

/** A request as people look at it. */
export interface RequestInfo {
  id: string
  state: string
  model: string
  /** Wall clock, ms. */
  createdMs: number
  /** Instance at work on it, if any. */
  holder?: string
  /** States entered, oldest first; of one request only. */
  history?: ({ state: string; atMs: number } & JsonObject)[]
}

/** Looks at a running system over NATS. */
export interface Client {
  requests(): Promise<RequestInfo[]>
  request(id: string): Promise<RequestInfo | undefined>
  /** False = there is none of this id. */
  cancel(id: string): Promise<boolean>
  close(): Promise<void>
}

async function load<T>(path: string): Promise<T> {
  return await import(new URL(path, import.meta.url).href) as T
}

/** The function that runs a role. */
export async function loadRole(role: Role): Promise<RunRole> {
  const name = { gateway: 'runGateway', scheduler: 'runScheduler', instance: 'runInstance' }[role]
  return (await load<Record<string, RunRole>>(`../actors/${role}/main.ts`))[name]!
}

/** Connects to a running system. Error: `bus_unreachable`. */
export async function connectClient(nats: string): Promise<Client> {
  const { connect } = await load<{ connect: (options: { nats: string }) => Promise<Client> }>(
    '../runtime/client/mod.ts',
  )
  return connect({ nats })
}
