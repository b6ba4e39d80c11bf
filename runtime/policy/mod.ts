/** Policies by name: adding one is one file and one line here; a user's own is a file that is named. @module */
import { VolleyError } from '../errors.ts'
import { arrowV1 } from './arrow-v1.ts'
import { arrowV2 } from './arrow-v2.ts'
import { colocated } from './colocated.ts'
import { leastLoad } from './least-load.ts'
import type { Loads } from './loads.ts'
import type { FlipTimes, Policy } from './policy.ts'
import { roundRobin } from './round-robin.ts'
import { single } from './single.ts'
import { staticPolicy } from './static.ts'
import { xllm } from './xllm.ts'

export { checkPolicy } from './check.ts'
export type { Loads } from './loads.ts'
export { candidates, carries, holder, least, lowest, pool } from './candidates.ts'
export * from './policy.ts'
export { type CostProfile, iterationMs, prefillMs, residentLimit, unmeasured } from './profile.ts'

const POLICIES: Readonly<Record<string, (options: { loads: Loads } & FlipTimes) => Policy>> = {
  'arrow-v1': (options) => arrowV1(options),
  'arrow-v2': (options) => arrowV2(options),
  colocated: () => colocated,
  'least-load': () => leastLoad,
  'round-robin': () => roundRobin,
  single: () => single,
  static: () => staticPolicy,
  xllm: () => xllm,
}

const own = new Map<string, Policy>()

/** Names of the policies that Volley has. */
export const policyNames: readonly string[] = Object.keys(POLICIES)

/** Makes a policy of a user's own known by its name. Error: `policy_invalid` for a name that is taken by another. */
export function registerPolicy(policy: Policy): void {
  if (Object.hasOwn(POLICIES, policy.name)) {
    throw new VolleyError('policy_invalid', `Cannot call a policy of your own "${policy.name}": Volley has one of that name`, {
      param: 'policy', remedy: 'give it another name',
    })
  }
  own.set(policy.name, policy)
}

/** Names of all policies that this process knows, the user's own last. */
export const knownPolicies = (): string[] => [...policyNames, ...own.keys()]

/** A policy; `loads` and `times` are for those that read loads and flip. Error: `policy_invalid` naming those that exist. */
export function policyOf(name: string, loads: Loads = 'corrected', times: FlipTimes = {}): Policy {
  const made = Object.hasOwn(POLICIES, name) ? POLICIES[name]!({ loads, ...times }) : own.get(name)
  if (made) return made
  throw new VolleyError('policy_invalid', `Cannot use policy "${name}": known are ${knownPolicies().join(', ')}`, {
    param: 'policy', remedy: 'name one of them, or the file of your own: ./my-policy.ts',
  })
}
