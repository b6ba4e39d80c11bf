/**
 * The decision ledger: what a scheduler decided about a hop, on what, and what it expected; the events that follow say
 * what came of it.
 * @module
 */
import type { ClusterView, Decision, PlaceRequest, Score } from '../policy/policy.ts'
import { encodeMs, iterationMs, prefillMs } from '../policy/profile.ts'

/** One decision, as it is kept beside the request's events. */
export interface LedgerEntry {
  /** What became of it: `accepted`, `refused: …`, `timeout`, `stale`, `ended`; empty = not handed over yet. */
  outcome: string
  request: string
  phase: string
  policy: string
  /** Chosen instance; empty = nobody could take it. */
  instance: string
  reason: string
  /** Every candidate's score, lower is better. */
  scores: Record<string, Score>
  /** Encode: tiles, and the instances that begin a part of them besides. */
  tiles?: number
  alongside?: string[]
  /**
   * Encode: time until its part is through there. Prefill: time until its first token there. Decode: time of one
   * iteration with it.
   */
  predictedMs: number | undefined
  /** Flips that went with it. */
  flips: { instance: string; label: string; reason: string }[]
  /** What the shadow policy would have done. */
  shadow?: { policy: string; instance: string; reason: string }
  atMs: number
}

/** The entry of a decision before it is handed over. */
export function ledgerEntry(
  view: ClusterView,
  request: PlaceRequest,
  { decision, policy, alongside = [] }: { decision: Decision; policy: string; alongside?: string[] },
): LedgerEntry {
  const encode = request.phase === 'encode' ? { tiles: request.tiles ?? 0, alongside } : undefined
  const chosen = view.instances.find((i) => i.id === decision.instance)
  let predictedMs: number | undefined
  if (chosen && encode) predictedMs = chosen.encodeWaitMs + encodeMs(chosen.profile, Math.ceil(encode.tiles / (1 + alongside.length)))
  if (chosen && request.slots === 'prefill') predictedMs = chosen.prefillWaitMs + prefillMs(chosen.profile, request.promptTokens)
  if (chosen && request.slots === 'decode') {
    predictedMs = iterationMs(chosen.profile, 0, 0, chosen.decodeTokens + request.promptTokens, chosen.decodes + 1)
  }
  return {
    outcome: '', request: request.id, phase: request.phase, policy, instance: decision.instance ?? '', reason: decision.reason,
    scores: decision.scores, ...encode, predictedMs, flips: (decision.labels ?? []).map((l) => ({ ...l })), atMs: view.nowMs,
  }
}
