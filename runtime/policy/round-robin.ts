/**
 * Round robin: instances take turns, whatever their load or label. A baseline, and a way to make KV move in tests.
 * @module
 */
import { candidates } from './candidates.ts'
import type { Policy } from './policy.ts'

export const roundRobin: Policy = {
  name: 'round-robin',
  place(view, request) {
    const among = candidates(view, request)
    const chosen = among[view.placements % Math.max(1, among.length)]
    const scores = Object.fromEntries(among.map((i) => [i.id, i === chosen ? 0 : 1]))
    return { instance: chosen?.id, scores, reason: chosen === undefined ? 'nobody can take it now' : 'its turn' }
  },
}
