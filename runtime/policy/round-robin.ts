/**
 * Round robin: instances take turns, whatever their load or label. A baseline, and a way to make KV move in tests.
 * @module
 */
import { candidates } from './candidates.ts'
import type { ClusterView, Decision, PlaceRequest, Policy } from './policy.ts'

function next(view: ClusterView, request: PlaceRequest): Decision {
  const among = candidates(view, request)
  const chosen = among[view.placements % Math.max(1, among.length)]
  const scores = Object.fromEntries(among.map((i) => [i.id, i === chosen ? 0 : 1]))
  return { instance: chosen?.id, scores, reason: chosen === undefined ? 'nobody can take it now' : 'its turn' }
}

export const roundRobin: Policy = { name: 'round-robin', initial: {}, onArrival: next, onFirstToken: next }
