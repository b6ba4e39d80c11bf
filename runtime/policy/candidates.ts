/**
 * What all policies share: who could take a hop at all, who carries which label, and the least of some by a score.
 * @module
 */
import type { ClusterView, Decision, InstanceView, Phase, PlaceRequest, Score } from './policy.ts'

const byId = (a: InstanceView, b: InstanceView): number => (a.id < b.id ? -1 : 1)

/** Instances that have an actor for the phase, a free slot and no wish to stop; in order of id. */
export function candidates(view: ClusterView, request: PlaceRequest): InstanceView[] {
  return view.instances
    .filter((i) => i.phases.includes(request.phase) && !i.draining && i.freeSlots[request.slots] > 0)
    .sort(byId)
}

/** Whether an instance takes hops of a phase: by its label, or because it has none. */
export const carries = (instance: InstanceView, phase: Phase): boolean =>
  instance.label === undefined || instance.label.includes(phase)

/** The pool of a phase: those labelled for it that stay, busy or not; in order of id. */
export const pool = (view: ClusterView, phase: Phase): InstanceView[] =>
  view.instances.filter((i) => i.label?.includes(phase) && !i.draining).sort(byId)

/** Tokens an instance has yet to compute or holds in decodes: one number for "how busy". */
export const loadOf = (instance: InstanceView): number => instance.prefillTokens + instance.decodeTokens

/** Predicted time until an instance could start another prefill or encode: both wait for the same engine. */
export const waitMs = (instance: InstanceView): number => instance.prefillWaitMs + instance.encodeWaitMs

/** Whether a prompt prefilled on an instance is decoded there: it is labelled so, or nobody is. */
export const atHome = (view: ClusterView, i: InstanceView): boolean =>
  i.phases.includes('decode') &&
  (i.label === undefined ? pool(view, 'decode').length === 0 : i.label.includes('decode'))

/** Where the KV is, if that instance is among those. */
export const holder = (among: readonly InstanceView[], request: PlaceRequest): InstanceView | undefined =>
  among.find((i) => i.id === request.kvOwner)

/** Whether score `a` beats `b`. */
function beats(a: Score, b: Score): boolean {
  if (typeof a === 'number' || typeof b === 'number') return Number(a) < Number(b)
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
}

/** The lowest of some by a score; ties go to the one that comes first. */
export function lowest(
  among: readonly InstanceView[],
  score: (instance: InstanceView) => Score,
): InstanceView | undefined {
  let best: InstanceView | undefined
  let bestScore: Score = Infinity
  for (const instance of among) {
    const value = score(instance)
    if (best === undefined || beats(value, bestScore)) [best, bestScore] = [instance, value]
  }
  return best
}

/** Decision for the lowest score; ties go to the lowest id. Nobody = hold. */
export function least(
  among: readonly InstanceView[],
  score: (instance: InstanceView) => Score,
  reason: string,
): Decision {
  const scores: Record<string, Score> = {}
  for (const instance of among) scores[instance.id] = score(instance)
  const best = lowest(among, (i) => scores[i.id]!)
  return { instance: best?.id, scores, reason: best === undefined ? 'nobody can take it now' : reason }
}

/**
 * For phases that a policy has no rule of its own for: images go to the least wait of those that carry `encode`, or of
 * anybody who can where nobody does; a phase of the user's own to the least wait of all.
 */
export function anyPhase(view: ClusterView, request: PlaceRequest): Decision {
  const able = candidates(view, request)
  const labelled = request.phase === 'encode' ? able.filter((i) => carries(i, 'encode')) : []
  const among = labelled.length > 0 || pool(view, 'encode').length > 0 ? labelled : able
  return least(request.phase === 'encode' ? among : able, (i) => [waitMs(i), i.decodeTokens], 'least wait')
}
