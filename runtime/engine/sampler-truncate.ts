/**
 * Which tokens a draw may take: top-k, min-p and top-p over weights relative to the most likely token. Exact, yet
 * does not sort the whole vocabulary when a few tokens decide.
 * @module
 */

/** Where the cut is made. 0 / 0 / 1 = no cut. */
export interface Truncation {
  topK: number
  minP: number
  topP: number
}

/** How far down each try looks: first at tokens this likely relative to the likeliest, in the end at all that can be drawn. */
const FLOORS = [2 ** -10, 2 ** -30, 2 ** -80, Number.MIN_VALUE]

/**
 * Tokens that stay, most likely first, ties in order of id; `undefined` = all stay.
 * top-p's mass is that of the tokens which top-k and min-p leave.
 *
 * @param weights [vocab] e^((logit - max) / temperature), so the greatest is 1
 */
export function truncate(weights: Float64Array, { topK, minP, topP }: Truncation): number[] | undefined {
  const limit = topK > 0 ? Math.min(topK, weights.length) : weights.length
  const limited = limit < weights.length
  if (!limited && minP <= 0 && topP >= 1) return undefined
  const wanted = limited || topP >= 1 ? Infinity : topP * massAbove(weights, minP)
  let kept: number[] = []
  for (const floor of FLOORS) {
    kept = ranked(weights, Math.max(floor, minP))
    if (floor <= minP || kept.length >= limit || massOf(weights, kept) >= wanted) break
  }
  if (kept.length > limit) kept.length = limit
  if (topP >= 1) return kept
  return nucleus(weights, kept, limited ? topP * massOf(weights, kept) : wanted)
}

/** Token ids of at least `floor`, by falling weight, then rising id. */
function ranked(weights: Float64Array, floor: number): number[] {
  const ids: number[] = []
  for (let id = 0; id < weights.length; id++) if (weights[id]! >= floor) ids.push(id)
  return ids.sort((a, b) => weights[b]! - weights[a]! || a - b)
}

/** The shortest head of `ids` whose mass reaches `wanted`; at least one token. */
function nucleus(weights: Float64Array, ids: number[], wanted: number): number[] {
  let mass = 0
  for (let i = 0; i < ids.length; i++) {
    mass += weights[ids[i]!]!
    if (mass >= wanted) return ids.slice(0, i + 1)
  }
  return ids
}

const massOf = (weights: Float64Array, ids: number[]): number => ids.reduce((mass, id) => mass + weights[id]!, 0)

function massAbove(weights: Float64Array, floor: number): number {
  let mass = 0
  for (const weight of weights) if (weight >= floor) mass += weight
  return mass
}
