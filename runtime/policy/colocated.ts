/**
 * Colocated: every instance does both phases, a request stays where it was prefilled, KV never moves. How prefills and
 * decodes share an iteration (chunks, or prefill first) is the engine's affair. Goes by predicted wait, then decodes.
 * @module
 */
import { anyPhase, candidates, holder, least, waitMs } from './candidates.ts'
import type { ClusterView, Decision, PlaceRequest, Policy } from './policy.ts'

function arrive(view: ClusterView, request: PlaceRequest): Decision {
  return request.slots === 'other' ? anyPhase(view, request) : stay(view, request)
}

function stay(view: ClusterView, request: PlaceRequest): Decision {
  const among = candidates(view, request)
  const there = holder(among, request)
  if (there !== undefined) return { instance: there.id, scores: { [there.id]: 0 }, reason: 'its KV is there' }
  return {
    ...least(among, (i) => [waitMs(i), i.decodeTokens], 'least wait, decodes there too'),
    decodeHere: true,
  }
}

export const colocated: Policy = { name: 'colocated', initial: {}, onArrival: arrive, onFirstToken: stay }
