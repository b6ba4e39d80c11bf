/**
 * The policy port: a pure function from a view of the cluster to a decision. No I/O, no clock, no randomness: the same
 * file runs in the scheduler and in the simulator. Ties go to the lowest id, so that runs repeat.
 * @module
 */

export type Label = 'prefill' | 'decode' | 'encode'

/** One instance as the scheduler knows it: its last heartbeat, corrected by the scheduler's own placements since. */
export interface InstanceView {
  id: string
  /** Undefined = unlabelled: takes any phase. */
  label: Label | undefined
  model: string
  /** Phases it has actors for. */
  phases: readonly string[]
  host: string
  /** Hops it would still accept now, by the kind of slot they take. */
  freeSlots: Readonly<Record<'prefill' | 'decode' | 'other', number>>
  /** Prompt tokens waiting or being computed. */
  prefillTokens: number
  /** Prefills waiting or running. */
  prefills: number
  /** Tokens resident in its decodes. */
  decodeTokens: number
  decodes: number
  /** Longest sequence it can hold. */
  contextLength: number
  kvTokensFree: number
  kvTokensTotal: number
  /** Does not want new work. */
  draining: boolean
}

/** What is to be placed. */
export interface PlaceRequest {
  id: string
  /** `prefill`; `transfer` = where the decode goes; `decode`; or a phase of the user's own. */
  phase: string
  /** Slots it takes. */
  slots: 'prefill' | 'decode' | 'other'
  model: string
  promptTokens: number
  maxTokens: number
  /** The instance that holds its KV, if any. */
  kvOwner: string | undefined
}

export interface ClusterView {
  instances: readonly InstanceView[]
  /** Placements this scheduler has decided so far: a cursor for policies that take turns. */
  placements: number
}

export interface Decision {
  /** Chosen instance; undefined = hold, nobody fits now. */
  instance: string | undefined
  /** Prefill only: decode right there, with no transfer. */
  decodeHere?: boolean
  /** Score of every candidate, lower is better: goes into the decision ledger. */
  scores: Record<string, number>
  /** In a few words, for people. */
  reason: string
}

export interface Policy {
  readonly name: string
  place(view: ClusterView, request: PlaceRequest): Decision
}
