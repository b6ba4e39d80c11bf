/**
 * Which tokens a draw may take: top-k, min-p and top-p. Exact without sorting the vocabulary: weights are counted in
 * bins of an eighth of an octave, and only the bin in which the cut falls is sorted.
 * @module
 */

/** What is wanted. 0 / 0 / 1 = no cut. */
export interface Truncation {
  topK: number
  minP: number
  topP: number
}

/** A token stays if its weight is greater than `weight`, or equal and among the first `ties` (by id) of that weight. */
export interface Cut {
  weight: number
  ties: number
}

/** Upper half of a float64, less 17 bits: sign, exponent and three bits of the fraction. Monotone in the weight. */
const BIN_SHIFT = 17
const BINS = (0x3ff00000 >>> BIN_SHIFT) + 1
/** Which half of a float64 in memory is the upper one: 1 on little-endian machines. */
const UPPER = new Uint8Array(Float64Array.of(1).buffer)[7] === 0x3f ? 1 : 0

const counts = new Int32Array(BINS)
const masses = new Float64Array(BINS)

/**
 * Where the cut falls; `undefined` = all stay. min-p is relative to the likeliest token; top-p's mass is that of the
 * tokens which top-k and min-p leave; the token that reaches it stays.
 *
 * @param weights [vocab] e^((logit - max) / temperature): the greatest is 1, none is greater
 */
export function findCut(weights: Float64Array, { topK, minP, topP }: Truncation): Cut | undefined {
  const limit = topK > 0 && topK < weights.length ? topK : Infinity
  if (limit === Infinity && minP <= 0 && topP >= 1) return undefined
  fillBins(weights, Math.max(minP, Number.MIN_VALUE))
  const kept = descend(weights, minP, limit, Infinity)
  return topP < 1 ? descend(weights, minP, limit, topP * kept.mass) : kept
}

function fillBins(weights: Float64Array, floor: number): void {
  counts.fill(0)
  masses.fill(0)
  const halves = new Int32Array(weights.buffer, weights.byteOffset, weights.length * 2)
  for (let id = 0; id < weights.length; id++) {
    if (weights[id]! < floor) continue
    const bin = halves[2 * id + UPPER]! >>> BIN_SHIFT
    counts[bin]!++
    masses[bin]! += weights[id]!
  }
}

/** From the likeliest token down, until `count` tokens or a mass of `wanted` are reached. */
function descend(weights: Float64Array, minP: number, count: number, wanted: number): Cut & { mass: number } {
  let [seen, mass] = [0, 0]
  for (let bin = BINS - 1; bin >= 0; bin--) {
    if (counts[bin] === 0) continue
    if (seen + counts[bin]! >= count || mass + masses[bin]! >= wanted) {
      const cut = descendBin(membersOf(weights, bin, minP), count - seen, wanted, mass)
      if (cut) return cut
    }
    seen += counts[bin]!
    mass += masses[bin]!
  }
  return { weight: Math.max(minP, Number.MIN_VALUE), ties: Infinity, mass }
}

/** The cut within one bin; `undefined` = rounding: its members one by one just miss what they reach together. */
function descendBin(
  members: Float64Array,
  count: number,
  wanted: number,
  mass: number,
): (Cut & { mass: number }) | undefined {
  let ties = 0
  for (let i = members.length - 1; i >= 0; i--) {
    const weight = members[i]!
    ties = weight === members[i + 1] ? ties + 1 : 1
    mass += weight
    if (members.length - i >= count || mass >= wanted) return { weight, ties, mass }
  }
  return undefined
}

/** Weights of a bin in rising order. */
function membersOf(weights: Float64Array, bin: number, minP: number): Float64Array {
  const halves = new Int32Array(weights.buffer, weights.byteOffset, weights.length * 2)
  const members = new Float64Array(counts[bin]!)
  let at = 0
  for (let id = 0; id < weights.length; id++) {
    if (halves[2 * id + UPPER]! >>> BIN_SHIFT === bin && weights[id]! >= minP) members[at++] = weights[id]!
  }
  return members.sort()
}
