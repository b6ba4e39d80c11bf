/**
 * What travels and what is stored for a request: the hop (the message is the request) and the record that fences it.
 * JSON, state first, so that the `nats` CLI reads well.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import type { ErrorInfo, FinalState, PhaseEvent, Stored } from '../machine/types.ts'

/** Largest hop: bigger parts travel by reference. */
const MAX_HOP_BYTES = 64 * 1024

/** The body of a queued hop: one visit of one phase. */
export interface Hop {
  state: string
  id: string
  /** Visit counter; fences stale work. */
  epoch: number
  /** What to run; `timer` = deliver `event` to the machine instead. */
  phase: string
  /** What the state says its actor should know. */
  with: JsonObject
  model: string
  lane: string
  stored: Stored
  /** Who holds the open response. */
  gateway: string
  /** Wall clock, ms. */
  deadline: number
  created: number
  /** Armed with this hop, so that whoever publishes it again arms them too. */
  timers?: { name: string; atMs: number; event: PhaseEvent }[]
  /** `timer` hops only: what happens, and at which epoch (undefined = whatever the epoch). */
  event?: PhaseEvent
  forEpoch?: number
}

/** Phase of a state that only waits (for a timer): its hop is kept in the record and not queued. */
export const WAIT = 'wait'
/** Phase of a timer's hop. */
export const TIMER = 'timer'

/** The value of `volley_requests/<id>`. `done`, `failed` and `cancelled` are terminal. */
export interface RequestRecord {
  state: string
  epoch: number
  /** +1 by every claim, never reset. */
  attempt: number
  /** Stream sequence and delivery of the hop that was claimed; 0 = none yet. */
  seq: number
  delivery: number
  /** `instance.incarnation`, empty = nobody. */
  holder: string
  /** Claims of this epoch so far: many of them with no result = poison. */
  claims: number
  /** Unique to this write, so that a writer who lost the answer knows its own hand. */
  stamp: string
  gateway: string
  model: string
  created: number
  deadline: number
  /** Whole body of this epoch's hop, so that anyone can publish it again; null when terminal. */
  next: Hop | null
  /** Kept when terminal, for inspection. */
  last?: Stored
  error?: ErrorInfo
}

export const isTerminal = (record: RequestRecord): boolean =>
  record.state === 'done' || record.state === 'failed' || record.state === 'cancelled'

/** Deterministic message id of a hop: a repeat is stored once. */
export const hopId = (hop: Hop): string =>
  hop.phase === TIMER ? `${hop.id}:${hop.event?.type}:${hop.forEpoch ?? 'any'}` : `${hop.id}:${hop.epoch}`

/** Encodes a hop. Error: `internal` when it is larger than a hop may be. */
export function encodeHop(hop: Hop): string {
  const text = JSON.stringify(hop)
  if (text.length > MAX_HOP_BYTES) {
    throw new VolleyError(
      'invalid_request',
      `Cannot send a hop of ${text.length} bytes: at most ${MAX_HOP_BYTES} travel in one`,
      { remedy: 'keep the context of your pipeline small; large parts travel by reference' },
    )
  }
  return text
}

/** Hand-over of a hop and its lease from a scheduler to an instance. */
export interface HandOver {
  hop: Hop
  ackSubject: string
  seq: number
  delivery: number
  /** Decided by the policy with a prefill: decode follows on the same instance. */
  decodeHere: boolean
  /** Decided with a prefill, too: where the decode should go later; null = not yet. */
  decodeAt: string | null
  /** Decided with an encode: other instances that would begin a part of it now, the least busy first. */
  alongside: string[]
  /** What the scheduler expects (runtime/pool/ledger.ts), for comparison; null = nothing. */
  predictedMs: number | null
}

export type HandOverReply =
  | { status: 'accepted' | 'stale' | 'ended' | 'dropped' }
  | { status: 'refused'; reason: 'full' | 'draining' | 'wrongModel' | 'noActor' }

/** Tells an instance to free a hold: its bytes have arrived, or are not wanted. */
export interface ReleaseMessage {
  hold: string
  attempt: number
}

/** Claim of a request's reader at its gateway; the same attempt again is the confirm. */
export interface ClaimRequest {
  id: string
  attempt: number
}
export type ClaimReply =
  /** `shown`: token ids each choice's reader has; the next index is its length. */
  | { status: 'ok'; shown: number[][] }
  | { status: 'unknown' | 'ended' | 'fenced' }

export interface EndRequest {
  id: string
  state: FinalState
  error?: ErrorInfo
}
