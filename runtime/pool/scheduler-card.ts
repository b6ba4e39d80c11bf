/**
 * What a scheduler says of itself, as its presence value: by which policy it decides, and what a shadow makes of it.
 * @module
 */
import type { ShadowTallies } from './shadow.ts'

/** Value of `volley_schedulers/<name>`. */
export interface SchedulerCard {
  policy: string
  /** Its own `--policy`, to which it returns when the operator wants nothing in particular. */
  ownPolicy: string
  /** Why it does not decide by the policy that the operator wants; empty = it does, or none is wanted. */
  problem: string
  /** Names of the policies it could decide by. */
  known: string[]
  dwellMs: number
  cooldownMs: number
  placed: number
  flips: number
  shadow: { policy: string; against: string; tallies: ShadowTallies } | null
  atMs: number
}
