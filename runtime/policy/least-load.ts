/**
 * Least load: each hop goes to the instance with the fewest tokens to compute or held, whatever its label. A baseline.
 * @module
 */
import { candidates, least, loadOf } from './candidates.ts'
import type { ClusterView, Decision, PlaceRequest, Policy } from './policy.ts'

const anywhere = (view: ClusterView, request: PlaceRequest): Decision =>
  least(candidates(view, request), loadOf, 'least busy')

export const leastLoad: Policy = { name: 'least-load', initial: {}, onArrival: anywhere, onFirstToken: anywhere }
