/**
 * The policy an operator wants, for every scheduler of a fleet, while they run: one key, with history.
 * @module
 */
import type { Bus, Subscription } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'

/** Key beside the labels. */
const WISH_KEY = '_policy'

/** Value of `volley_labels/_policy`. */
export interface PolicyWish {
  /** Null = each scheduler's own `--policy`. */
  policy: string | null
  by: string
  reason: string
  sinceMs: number
  since: string
}

/** Error: `bus_timeout`. */
export async function wishPolicy(bus: Bus, clock: Clock, policy: string | null, reason: string): Promise<void> {
  const sinceMs = clock.now()
  const wish: PolicyWish = { policy, by: 'operator', reason, sinceMs, since: new Date(sinceMs).toISOString() }
  await bus.bucket('volley_labels').put(WISH_KEY, JSON.stringify(wish))
}

/** Undefined = nobody has wished for any. Error: `bus_timeout`. */
export async function policyWish(bus: Bus): Promise<PolicyWish | undefined> {
  return (await bus.bucket('volley_labels').get(WISH_KEY))?.json<PolicyWish>()
}

/** Calls back with the present wish, if there is one, and with every later one. */
export function watchPolicyWish(bus: Bus, onWish: (wish: PolicyWish) => void): Promise<Subscription> {
  return bus.bucket('volley_labels').watch((key, entry) => {
    if (key === WISH_KEY && entry) onWish(entry.json<PolicyWish>())
  })
}
