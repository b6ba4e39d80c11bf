/**
 * What a simulation is made of: policy, costs, labels, links, and what may go wrong.
 * @module
 */
import type { Label, Policy, Slo } from '../policy/policy.ts'
import type { CostProfile } from '../policy/profile.ts'
import type { Fault } from './faults.ts'
import type { Batching, SimProfile, SimRequest } from './instance.ts'
import type { Flip, SimObserver } from './observer.ts'
import type { Link } from './timeline.ts'

/** Options for {@linkcode Simulation}. */
export interface SimOptions {
  policy: Policy
  profile: SimProfile
  slo: Slo
  /** Label of each instance at the start; undefined = takes any phase. */
  labels: readonly (Label | undefined)[]
  /** What policies are told of the costs. @default {profile} */
  believed?: CostProfile
  /** @default {2048 prefill tokens beside decodes} */
  batching?: Batching
  /**
   * Most requests in work on an instance that decodes what it prefills, as `max_num_seqs` of vLLM.
   *
   * @default {Infinity}
   */
  maxSequences?: number
  /**
   * KV of a request that is decoded where it was prefilled: its whole output is reserved, or it grows token by token and
   * the youngest gives way when there is no room. @default {'reserved'}
   */
  kv?: 'reserved' | 'growing'
  /** @default {50 GB/s and 2 ms, each receiver pulling one at a time} */
  link?: Link
  /** Rate of every instance's own link, out and in, in bytes/ms: transfers share them. @default {nobody shares} */
  linkBytesPerMs?: number | undefined
  /** What goes wrong, and when. @default {nothing} */
  faults?: readonly Fault[] | undefined
  /** Images of one request may be encoded by several instances. @default {false} */
  spreadImages?: boolean | undefined
  /** Time an instance starts nothing after its label has changed: what a flip would cost elsewhere. @default {0} */
  restartMs?: number
  /** Monitoring interval. @default {1000} */
  tickMs?: number
  /** The run ends so long after the last arrival; what is unfinished then has failed. @default {200000} */
  tailMs?: number
  /** Sees the run go by; changes nothing. */
  observer?: SimObserver | undefined
  /** Told of every flip. */
  onFlip?: (flip: Flip) => void
  /** Told of every request that has ended well. */
  onDone?: (request: SimRequest, nowMs: number) => void
}
