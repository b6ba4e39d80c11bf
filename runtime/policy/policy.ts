/**
 * The policy port: pure functions from a view of the cluster to a decision. No I/O, no clock, no randomness, no hidden
 * state: the same file runs in the scheduler and in the simulator. Ties go to the lowest id, so that runs repeat.
 * @module
 */
import type { CostProfile } from './profile.ts'

/** What an instance does for requests of a language model, in the order they need it. */
export const PHASES = ['encode', 'prefill', 'decode'] as const
export type Phase = (typeof PHASES)[number]

/** Labels there are: one phase, or two that share an instance. Unlabelled = all of them. */
export const LABELS = ['encode', 'prefill', 'decode', 'encode+prefill', 'encode+decode', 'prefill+decode'] as const
export type Label = (typeof LABELS)[number]

/** Pauses between a request's tokens that ended in the last monitoring interval, and the longest that has not ended. */
export interface TokenGaps {
  /** Gaps between two tokens of the decode phase. */
  readonly count: number
  readonly sumMs: number
  /** Gaps between the first token, made by prefill, and the second: transfer and admission wait are in them. */
  readonly firstCount: number
  readonly firstSumMs: number
  /** Age of the last token of the decode batch, if there is one; 0 = nobody waits for a token. */
  readonly openMs: number
}

/** One instance as the scheduler knows it: its last heartbeat, corrected by the scheduler's own placements since. */
export interface InstanceView {
  readonly id: string
  /** Undefined = unlabelled: takes any phase. */
  readonly label: Label | undefined
  /** When the label was given, on the view's clock. */
  readonly labelSinceMs: number
  readonly model: string
  /** Phases it has actors for. */
  readonly phases: readonly string[]
  readonly host: string
  /** Hops it would still accept now, by the kind of slot they take. */
  readonly freeSlots: Readonly<Record<'prefill' | 'decode' | 'other', number>>
  /** Prompt tokens waiting or being computed. */
  readonly prefillTokens: number
  /** Prefills waiting or running. */
  readonly prefills: number
  /** Predicted time of those prefills by `profile`, and of what keeps it from starting, in ms. */
  readonly prefillWaitMs: number
  /** The same, averaged over the last monitoring interval. */
  readonly prefillWaitMeanMs: number
  /** Tiles of images waiting or being encoded, the hops they belong to, and their predicted time by `profile`, in ms. */
  readonly encodeTiles: number
  readonly encodes: number
  readonly encodeWaitMs: number
  /** Tokens (prompt and generated) of its decodes, those on their way to it included. */
  readonly decodeTokens: number
  readonly decodes: number
  readonly gaps: TokenGaps
  readonly profile: CostProfile
  /** Longest sequence it can hold. */
  readonly contextLength: number
  readonly kvTokensFree: number
  readonly kvTokensTotal: number
  /** Does not want new work. */
  readonly draining: boolean
}

/** What is to be placed. */
export interface PlaceRequest {
  id: string
  /** `encode`; `prefill`; `transfer` = where the decode goes; `decode`; or a phase of the user's own. */
  phase: string
  /** Slots it takes. */
  slots: 'prefill' | 'decode' | 'other'
  model: string
  promptTokens: number
  /** Tiles of the images to be encoded: where `phase` is `encode`, of this hop; else of what was encoded. @default {0} */
  tiles?: number
  /** How long ago it arrived: what is left of its TTFT, in ms. @default {0} */
  waitedMs?: number
  /** Most tokens it may generate; 0 = unknown. */
  maxTokens: number
  /** The instance that holds its KV, if any. */
  kvOwner: string | undefined
  /** Where the policy wanted its decode when it arrived (`Decision.decodeAt`), if it said so. */
  decodeAt?: string | undefined
}

/** What the operator promised, in ms; Infinity = nothing. */
export interface Slo {
  readonly ttftMs: number
  readonly tpotMs: number
}

/** The instances of one model: a host that serves several keeps a view and a state of each. */
export interface ClusterView {
  readonly instances: readonly InstanceView[]
  /** Placements this scheduler has decided so far: a cursor for policies that take turns. */
  readonly placements: number
  /** Now, on the host's clock: the only time a policy knows. */
  readonly nowMs: number
  readonly slo: Slo
}

/** A flip: no drain, no restart; work that is there finishes there. The host makes it a compare-and-set. */
export interface LabelChange {
  readonly instance: string
  readonly label: Label
  readonly reason: string
}

/** Times between flips. */
export interface FlipTimes {
  /** Least time a label lasts. */
  readonly dwellMs?: number
  /** Least time between two flips of a model's instances to decode. */
  readonly cooldownMs?: number
}

/** What a policy remembers between calls: plain data that the host keeps and hands back. */
export type PolicyState = Readonly<Record<string, number>>

/** Lower is better; pairs compare by their first number, then their second. */
export type Score = number | readonly [number, number]

export interface Decision {
  /** Chosen instance; undefined = hold, nobody fits now. */
  instance: string | undefined
  /** Prefill only: decode right there, with no transfer. */
  decodeHere?: boolean
  /** Prefill only: where the decode should go, for policies that choose both at arrival. */
  decodeAt?: string | undefined
  /** Flips that go with it. */
  labels?: readonly LabelChange[]
  /** Score of every candidate: goes into the decision ledger. */
  scores: Record<string, Score>
  /** In a few words, for people. */
  reason: string
  /** What to remember from now on; left out = as before. */
  state?: PolicyState
}

/** What the monitor loop decides. */
export interface TickDecision {
  labels: readonly LabelChange[]
  state: PolicyState
}

export interface Policy<State extends PolicyState = PolicyState> {
  readonly name: string
  /** What it remembers before anything has happened. */
  readonly initial: State
  /** Times that its flips keep, whichever of several schedulers makes them; an operator's setting goes before. */
  readonly flips?: FlipTimes
  /** Where a request is prefilled. Also asked for phases of the user's own and for encode. */
  onArrival(view: ClusterView, request: PlaceRequest, state: State): Decision
  /** Where it is decoded: asked when its first token exists. */
  onFirstToken(view: ClusterView, request: PlaceRequest, state: State): Decision
  /** Every monitoring interval. */
  onTick?(view: ClusterView, state: State): TickDecision
}

/** Asks the hook that a phase belongs to: what hosts call. */
export function place(policy: Policy, view: ClusterView, request: PlaceRequest, state: PolicyState): Decision {
  return request.slots === 'decode' ? policy.onFirstToken(view, request, state) : policy.onArrival(view, request, state)
}
