/**
 * Drives a Forward for one sequence, for tests: a table of blocks, chunks of chosen sizes, greedy tokens.
 * @module
 */
import type { Chunk, Forward } from '../../runtime/engine/forward.ts'
import { KvPool } from '../../runtime/kv/pool.ts'

export const argmax = (row: Float32Array): number =>
  row.reduce((best, value, i) => (value > (row[best] as number) ? i : best), 0)

export function poolFor({ config }: Forward, blocks: number, blockTokens = 16): KvPool {
  return new KvPool({ layers: config.layers, kvDim: config.kvHeads * config.headDim, blockTokens }, blocks)
}

/** Logits of every row, [tokens * vocab], the tokens cut into chunks of `sizes` (the last size repeats). */
export async function allLogits(
  forward: Forward,
  pool: KvPool,
  table: number[],
  tokens: number[],
  sizes: number[] = [tokens.length],
): Promise<Float32Array> {
  const out = new Float32Array(tokens.length * forward.config.vocabSize)
  for (let start = 0, i = 0; start < tokens.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)] as number
    const chunk: Chunk = { tokens: tokens.slice(start, start + size), start, table, logits: 'all' }
    const [rows] = await forward.run([chunk], pool)
    out.set(rows as Float32Array, start * forward.config.vocabSize)
    start += size
  }
  return out
}

/** Greedy tokens after a prompt whose K and V are in the pool but for its last token. */
export async function greedy(
  forward: Forward,
  pool: KvPool,
  table: number[],
  prompt: number[],
  count: number,
): Promise<{ tokens: number[]; margins: number[] }> {
  const tokens: number[] = []
  const margins: number[] = []
  let last = prompt.at(-1) as number
  for (let i = 0; i < count; i++) {
    // The first is the prompt's own.
    const chunk: Chunk = { tokens: [last], start: prompt.length - 1 + i, table, logits: 'last', generated: i > 0 }
    const [row] = (await forward.run([chunk], pool)) as [Float32Array]
    last = argmax(row)
    const best = row[last] as number
    margins.push(best - row.reduce((top, value, id) => (id !== last && value > top ? value : top), -Infinity))
    tokens.push(last)
  }
  return { tokens, margins }
}
