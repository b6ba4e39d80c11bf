/**
 * Single: everything of a request on one instance, the least busy; KV never moves.
 * @module
 */
import { candidates, holder, least, loadOf } from './candidates.ts'
import type { ClusterView, Decision, PlaceRequest, Policy } from './policy.ts'

function stay(view: ClusterView, request: PlaceRequest): Decision {
  const among = candidates(view, request)
  const there = holder(among, request)
  if (there !== undefined) return { instance: there.id, scores: { [there.id]: 0 }, reason: 'its KV is there' }
  return { ...least(among, loadOf, 'least busy, decodes there too'), decodeHere: true }
}

export const single: Policy = { name: 'single', initial: {}, onArrival: stay, onFirstToken: stay }
