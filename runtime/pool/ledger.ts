/**
 * The decision ledger: what a scheduler decided about a hop, on what, and what it expected; the events that follow say
 * what came of it.
 * @module
 */
import type { ClusterView, Decision, LabelChange, PlaceRequest, Score } from '../policy/policy.ts'
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
  alongside?: readonly string[]
  /**
   * Encode: time until its part is through there. Prefill: time until its first token there. Decode: time of one
   * iteration with it.
   */
  predictedMs: number | undefined
  /** What it was in the end: told by the instance, once. */
  actualMs?: number
  /** Flips that went with it, and what became of them: `applied`, or why not. */
  flips: FlipEntry[]
  /** What the shadow policy would have done, and what was to be expected of that. */
  shadow?: { policy: string; instance: string; reason: string; predictedMs: number | undefined }
  atMs: number
}

/** A flip in the ledger. */
export interface FlipEntry extends LabelChange {
  outcome: string
}

/** What an instance adds to a decision when it knows: kept beside it. */
export interface ActualEntry {
  outcome: 'actual'
  request: string
  phase: string
  instance: string
  predictedMs: number
  actualMs: number
  atMs: number
}

/** Time that a choice is expected to take: until its part of the tiles is through, until the first token, or a token. */
function predictionOf(view: ClusterView, request: PlaceRequest, instance: string | undefined, others = 0): number | undefined {
  const chosen = view.instances.find((i) => i.id === instance)
  if (chosen && request.phase === 'encode') return chosen.encodeWaitMs + encodeMs(chosen.profile, Math.ceil((request.tiles ?? 0) / (1 + others)))
  if (chosen && request.slots === 'prefill') return chosen.prefillWaitMs + prefillMs(chosen.profile, request.promptTokens)
  if (chosen && request.slots === 'decode') {
    return iterationMs(chosen.profile, 0, 0, chosen.decodeTokens + request.promptTokens, chosen.decodes + 1)
  }
  return undefined
}

/** A decision, and a shadow's beside it. */
export interface Decided {
  policy: string
  decision: Decision
  /** Encode: who begins a part of it besides. */
  alongside?: readonly string[]
  shadow?: { policy: string; decision: Decision; alongside?: readonly string[] } | undefined
}

/** The entry of a decision before it is handed over. */
export function ledgerEntry(view: ClusterView, request: PlaceRequest, { policy, decision, alongside = [], shadow }: Decided): LedgerEntry {
  return {
    outcome: '', request: request.id, phase: request.phase, policy, instance: decision.instance ?? '', reason: decision.reason,
    scores: decision.scores, ...(request.phase === 'encode' ? { tiles: request.tiles ?? 0, alongside } : {}),
    predictedMs: predictionOf(view, request, decision.instance, alongside.length), flips: [], atMs: view.nowMs,
    ...(shadow && {
      shadow: {
        policy: shadow.policy, instance: shadow.decision.instance ?? '', reason: shadow.decision.reason,
        predictedMs: predictionOf(view, request, shadow.decision.instance, shadow.alongside?.length),
      },
    }),
  }
}

/** Decisions with what instances told about them later: the actual of a decode is that of the transfer that placed it, too. */
export function withActuals(stored: readonly (LedgerEntry | ActualEntry)[]): LedgerEntry[] {
  const entries = stored.filter((entry): entry is LedgerEntry => entry.outcome !== 'actual').map((entry) => ({ ...entry }))
  for (const actual of stored) {
    if (actual.outcome !== 'actual') continue
    const phases = actual.phase === 'decode' ? ['decode', 'transfer'] : [actual.phase]
    for (const phase of phases) {
      const about = entries.findLast((e) =>
        e.phase === phase && e.instance === actual.instance && e.outcome === 'accepted' && e.atMs <= actual.atMs
      )
      if (about) about.actualMs = actual.actualMs as number
    }
  }
  return entries
}
