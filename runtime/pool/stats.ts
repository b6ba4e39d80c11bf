/**
 * What an instance tells about itself, as its presence value and between beats; and what a scheduler makes of it.
 * @module
 */
import type { EngineInfo, EngineStats } from '../engine/engine.ts'
import type { TokenGaps } from '../policy/policy.ts'
import type { CostProfile } from '../policy/profile.ts'
import type { SlotClass } from './actor.ts'

/** Value of `volley_instances/<id>`. */
export interface InstanceStats {
  state: 'up' | 'draining'
  id: string
  incarnation: string
  model: string
  phases: string[]
  host: string
  pid: number
  /** Hand-overs accepted since start: a scheduler's own placements up to it are in these numbers. */
  accepted: number
  freeSlots: Record<SlotClass, number>
  engine: EngineInfo
  load: EngineStats
  /** Images that wait or are being encoded: their tiles, and the hops they belong to; left out = it does not see. */
  encode?: { tiles: number; hops: number }
  /** What its work costs, as it measured itself. */
  profile: CostProfile
  /** Pauses between tokens in the last second. */
  gaps: TokenGaps
  holds: number
  jobs: number
  atMs: number
}
