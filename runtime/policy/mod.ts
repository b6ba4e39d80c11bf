/** Policies by name: adding one is one file and one line here. @module */
import { VolleyError } from '../errors.ts'
import type { Policy } from './policy.ts'
import { roundRobin } from './round-robin.ts'
import { single } from './single.ts'
import { staticPolicy } from './static.ts'

export type { ClusterView, Decision, InstanceView, Label, PlaceRequest, Policy } from './policy.ts'

const POLICIES: readonly Policy[] = [roundRobin, single, staticPolicy]

/** Error: `policy_invalid` naming those that exist. */
export function policyOf(name: string): Policy {
  const found = POLICIES.find((p) => p.name === name)
  if (found) return found
  const names = POLICIES.map((p) => p.name).join(', ')
  throw new VolleyError('policy_invalid', `Cannot use policy "${name}": known are ${names}`, { param: 'policy' })
}
