/**
 * Which rows of a stretch of a prompt take a picture's vectors: the tiles' places, cut to where the stretch begins and
 * ends. Knows nothing of how the vectors were made.
 * @module
 */
import type { GivenRows } from '../forward.ts'

/** The vectors of one tile and where they belong. */
export interface PlacedTile {
  /** Position in the prompt of its first token. */
  start: number
  /** [tileTokens, hiddenSize] */
  vectors: Float32Array
}

/** Given rows of positions from .. to - 1, counted from `from`. `tiles` in any order; those outside are left out. */
export function givenRows(tiles: readonly PlacedTile[], hiddenSize: number, from: number, to: number): GivenRows[] {
  return tiles.flatMap(({ start, vectors }) => {
    const first = Math.max(start, from)
    const end = Math.min(start + vectors.length / hiddenSize, to)
    if (first >= end) return []
    return [{ at: first - from, vectors: vectors.subarray((first - start) * hiddenSize, (end - start) * hiddenSize) }]
  })
}
