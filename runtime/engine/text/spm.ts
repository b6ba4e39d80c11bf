/**
 * A SentencePiece vocabulary (pieces with scores) as byte-pair merges: the pair whose joined piece has the best score
 * is merged first, which is what SentencePiece's BPE does.
 * @module
 */

/** tokenizer.ggml.token_type: only ordinary pieces are made by merging. */
const NORMAL = 1

/**
 * Merges in order of rank. `pieces`, `scores` and `types` are parallel; every cut of a piece into two others counts.
 */
export function spmMerges(
  pieces: readonly string[],
  scores: readonly number[],
  types: readonly number[],
): [string, string][] {
  const ids = new Map<string, number>()
  pieces.forEach((piece, id) => {
    if (types[id] === NORMAL) ids.set(piece, id)
  })
  const found: { left: string; right: string; leftId: number; rightId: number; score: number }[] = []
  for (const [piece, id] of ids) {
    for (let cut = 1; cut < piece.length; cut++) {
      const left = piece.slice(0, cut)
      const leftId = ids.get(left)
      if (leftId === undefined) continue
      const right = piece.slice(cut)
      const rightId = ids.get(right)
      if (rightId !== undefined) found.push({ left, right, leftId, rightId, score: scores[id] ?? 0 })
    }
  }
  found.sort((a, b) => b.score - a.score || a.leftId - b.leftId || a.rightId - b.rightId)
  return found.map(({ left, right }) => [left, right])
}
