/**
 * What all policies share: who could take a hop at all, and the least of them by a score.
 * @module
 */
import type { ClusterView, Decision, InstanceView, PlaceRequest } from './policy.ts'

/** Instances that serve the model, have an actor for the phase, a free slot and no wish to stop; in order of id. */
export function candidates(view: ClusterView, request: PlaceRequest): InstanceView[] {
  return view.instances
    .filter((i) => i.model === request.model && i.phases.includes(request.phase) && !i.draining && i.freeSlots[request.slots] > 0)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Tokens an instance has yet to compute or holds in decodes: one number for "how busy". */
export const loadOf = (instance: InstanceView): number => instance.prefillTokens + instance.decodeTokens

/** Where the KV is, if that instance is among those. */
export const holder = (among: InstanceView[], request: PlaceRequest): InstanceView | undefined =>
  among.find((i) => i.id === request.kvOwner)

/** Decision for the lowest score; ties go to the lowest id. Nobody = hold. */
export function least(among: InstanceView[], score: (instance: InstanceView) => number, reason: string): Decision {
  const scores: Record<string, number> = {}
  let best: InstanceView | undefined
  for (const instance of among) {
    const value = score(instance)
    scores[instance.id] = value
    if (best === undefined || value < scores[best.id]!) best = instance
  }
  return { instance: best?.id, scores, reason: best === undefined ? 'nobody can take it now' : reason }
}
