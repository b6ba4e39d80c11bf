/** Policies by name: adding one is one file and one line here. @module */
import { VolleyError } from '../errors.ts'
import { arrowV1 } from './arrow-v1.ts'
import { arrowV2 } from './arrow-v2.ts'
import { colocated } from './colocated.ts'
import { leastLoad } from './least-load.ts'
import type { Loads } from './loads.ts'
import type { Policy } from './policy.ts'
import { roundRobin } from './round-robin.ts'
import { single } from './single.ts'
import { staticPolicy } from './static.ts'
import { xllm } from './xllm.ts'

export type { Loads } from './loads.ts'
export * from './policy.ts'
export { type CostProfile, iterationMs, prefillMs, residentLimit, unmeasured } from './profile.ts'

const POLICIES: Readonly<Record<string, (loads: Loads) => Policy>> = {
  'arrow-v1': (loads) => arrowV1({ loads }),
  'arrow-v2': (loads) => arrowV2({ loads }),
  colocated: () => colocated,
  'least-load': () => leastLoad,
  'round-robin': () => roundRobin,
  single: () => single,
  static: () => staticPolicy,
  xllm: () => xllm,
}

/** Names of all policies. */
export const policyNames: readonly string[] = Object.keys(POLICIES)

/** A policy; `loads` is for those that read loads. Error: `policy_invalid` naming those that exist. */
export function policyOf(name: string, loads: Loads = 'corrected'): Policy {
  const make = Object.hasOwn(POLICIES, name) ? POLICIES[name] : undefined
  if (make) return make(loads)
  throw new VolleyError('policy_invalid', `Cannot use policy "${name}": known are ${policyNames.join(', ')}`, {
    param: 'policy',
  })
}
