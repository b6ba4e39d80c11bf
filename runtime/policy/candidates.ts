/**
 * What all policies share: who could take a hop at all, who carries which label, and the least of some by a score.
 * @module
 */
import type { ClusterView, Decision, InstanceView, Label, PlaceRequest, Score } from './policy.ts'

const byId = (a: InstanceView, b: InstanceView): number => (a.id < b.id ? -1 : 1)

/** Instances that have an actor for the phase, a free slot and no wish to stop; in order of id. */
export function candidates(view: ClusterView, request: PlaceRequest): InstanceView[] {
  return view.instances
    .filter((i) => i.phases.includes(request.phase) && !i.draining && i.freeSlots[request.slots] > 0)
    .sort(byId)
}

/** Whether an instance takes hops of this label: by its own, or because it has none. */
export const carries = (instance: InstanceView, label: Label): boolean =>
  instance.label === undefined || instance.label === label

/** The pool of a label: those that carry it and stay, busy or not; in order of id. */
export const pool = (view: ClusterView, label: Label): InstanceView[] =>
  view.instances.filter((i) => i.label === label && !i.draining).sort(byId)

/** Tokens an instance has yet to compute or holds in decodes: one number for "how busy". */
export const loadOf = (instance: InstanceView): number => instance.prefillTokens + instance.decodeTokens

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
