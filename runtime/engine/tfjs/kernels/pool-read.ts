/**
 * Reads one KV head of one sequence out of the pool's blocks, as rows [keys, dim] or as columns [dim, keys]: whichever
 * saves the backend a transposition. Plain copies in JavaScript: one pass, no tensor in between.
 * @module
 */
import type { KvPool } from '../../../kv/pool.ts'

/** Which part of the pool: positions from .. to - 1 of a sequence, one layer, K (0) or V (1), one head. */
export interface PoolSlice {
  pool: KvPool
  layer: number
  part: 0 | 1
  table: ArrayLike<number>
  from: number
  to: number
  head: number
  headDim: number
}

/** Calls `visit(offset of the first token, index of that key, keys)` for each run of keys within one block. */
function eachRun(slice: PoolSlice, visit: (offset: number, key: number, keys: number) => void): void {
  const { pool, layer, part, table, from, to, head, headDim } = slice
  const { blockTokens } = pool.shape
  for (let position = from; position < to; ) {
    const slot = position % blockTokens
    const keys = Math.min(blockTokens - slot, to - position)
    const block = table[Math.floor(position / blockTokens)] as number
    visit(pool.offset(block, layer, part, slot) + head * headDim, position - from, keys)
    position += keys
  }
}

/** Fills `out` as [keys, headDim]. */
export function readRows(slice: PoolSlice, out: Float32Array): void {
  const { data, shape } = slice.pool
  const dim = slice.headDim
  eachRun(slice, (offset, key, keys) => {
    for (let i = 0; i < keys; i++) {
      const at = offset + i * shape.kvDim
      out.set(data.subarray(at, at + dim), (key + i) * dim)
    }
  })
}

/** Fills `out` as [headDim, keys]. */
export function readColumns(slice: PoolSlice, out: Float32Array): void {
  const { data, shape } = slice.pool
  const width = slice.to - slice.from
  const dim = slice.headDim
  const stride = shape.kvDim
  eachRun(slice, (offset, key, keys) => {
    for (let d = 0; d < dim; d++) {
      const to = d * width + key
      for (let i = 0; i < keys; i++) out[to + i] = data[offset + i * stride + d] as number
    }
  })
}
