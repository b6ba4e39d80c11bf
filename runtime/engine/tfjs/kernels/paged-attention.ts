/**
 * LlmPagedAttention: softmax(q K' / sqrt(dim)) V of each sequence over the keys in its own blocks, causal, with
 * grouped query heads and an optional sliding window. Two-dimensional products a KV head; keys that a row may not see
 * get weight exp(-inf) = 0, and adding zeros changes no bits, so a row's result is the same in a chunk of any size.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { KvPool } from '../../../kv/pool.ts'
import type { Span } from '../step.ts'
import type { Kernel } from './kernel.ts'
import { type PoolSlice, readColumns, readRows } from './pool-read.ts'

export interface PagedAttentionAttrs {
  pool: KvPool
  layer: number
  spans: readonly Span[]
  kvHeads: number
  headDim: number
  /** Positions a token sees, itself included; undefined = all. */
  window: number | undefined
}

/** Query tokens that share one product: later ones of a prompt do not pay for keys that earlier ones cannot see. */
const TILE = 128

/**
 * A window's first key is rounded down to a multiple of this. tfjs-cpu adds products in groups of 48 keys, counted
 * from the first: with groups at fixed positions, where a chunk begins does not change a row's bits.
 */
const KEY_GRID = 48

/** Queries of one KV head: tokens at `start` .. `start + tokens - 1`, `group` heads each. */
interface Tile {
  /** [tokens * group, dim], scaled. */
  q: Float32Array
  tokens: number
  group: number
  start: number
  window: number | undefined
}

/** 0 where a token may look, -inf elsewhere: [tokens, keys]; undefined when every token sees every key. */
function maskOf({ tokens, start, window }: Tile, from: number): Float32Array | undefined {
  const keys = start + tokens - from
  const hidden = window === undefined ? -Infinity : start - window + 1 - from
  if (tokens === 1 && hidden <= 0) return undefined
  const mask = new Float32Array(tokens * keys)
  for (let i = 0; i < tokens; i++) {
    mask.fill(-Infinity, i * keys + start + i + 1 - from, (i + 1) * keys)
    mask.fill(-Infinity, i * keys, i * keys + Math.max(0, hidden + i))
  }
  return mask
}

/** Many rows: scores [tokens * group, keys], K read as columns. */
function wide(tile: Tile, k: PoolSlice, v: PoolSlice): tf.Tensor {
  const { tokens, group } = tile
  const { headDim, from, to } = k
  const keys = to - from
  const floats = keys * headDim
  const kColumns = new Float32Array(floats)
  const vRows = new Float32Array(floats)
  readColumns(k, kColumns)
  readRows(v, vRows)
  let scores: tf.Tensor = tf.matMul(tf.tensor2d(tile.q, [tokens * group, headDim]), tf.tensor2d(kColumns, [headDim, keys]))
  const mask = maskOf(tile, from)
  if (mask !== undefined) {
    const masked = tf.add(tf.reshape(scores, [tokens, group, keys]), tf.tensor3d(mask, [tokens, 1, keys]))
    scores = tf.reshape(masked, [tokens * group, keys])
  }
  const weights = tf.exp(tf.sub(scores, tf.max(scores, 1, true)))
  const mixed = tf.matMul(weights as tf.Tensor2D, tf.tensor2d(vRows, [keys, headDim]))
  return tf.div(mixed, tf.sum(weights, 1, true))
}

/**
 * One token: the same sums with K and V on the left, scores [keys, group]. The right side of a product is packed anew
 * every time on wasm, which for one token costs four times the product itself; here only the small side is packed.
 */
function narrow(tile: Tile, k: PoolSlice, v: PoolSlice): tf.Tensor {
  const { group } = tile
  const { headDim, from, to } = k
  const keys = to - from
  const floats = keys * headDim
  const kRows = new Float32Array(floats)
  const vColumns = new Float32Array(floats)
  readRows(k, kRows)
  readColumns(v, vColumns)
  const q = tf.transpose(tf.tensor2d(tile.q, [group, headDim]))
  let scores: tf.Tensor = tf.matMul(tf.tensor2d(kRows, [keys, headDim]), q)
  const mask = maskOf(tile, from)
  if (mask !== undefined) scores = tf.add(scores, tf.tensor2d(mask, [keys, 1]))
  const weights = tf.exp(tf.sub(scores, tf.max(scores, 0, true)))
  const mixed = tf.matMul(tf.tensor2d(vColumns, [headDim, keys]), weights as tf.Tensor2D)
  return tf.transpose(tf.div(mixed, tf.sum(weights, 0, true)))
}

/** Input q [rows, heads * headDim], positions already applied; answers the same shape. */
export const pagedAttention: Kernel<{ q: tf.Tensor }, PagedAttentionAttrs> = {
  name: 'LlmPagedAttention',
  reference({ q }, { pool, layer, spans, kvHeads, headDim, window }) {
    const width = q.shape[1] ?? 0
    const part = width / kvHeads
    const group = part / headDim
    // Rows are cut apart and put together in JavaScript: tfjs-wasm's slice copies its whole input first.
    const queries = tf.mul(q, 1 / Math.sqrt(headDim)).dataSync<'float32'>()
    const out = new Float32Array(queries.length)
    for (const { row, rows, start, table } of spans) {
      for (let done = 0; done < rows; done += TILE) {
        const tokens = Math.min(TILE, rows - done)
        const first = start + done
        const seen = window === undefined ? 0 : Math.max(0, first - window + 1)
        const from = seen - (seen % KEY_GRID)
        const slice = { pool, layer, table, from, to: first + tokens, headDim }
        for (let head = 0; head < kvHeads; head++) {
          const at = (row + done) * width + head * part
          const own = new Float32Array(tokens * part)
          for (let i = 0; i < tokens; i++) own.set(queries.subarray(at + i * width, at + i * width + part), i * part)
          const tile: Tile = { q: own, tokens, group, start: first, window }
          const attend = tokens === 1 ? narrow : wide
          const result = tf.tidy(() =>
            attend(tile, { ...slice, part: 0, head }, { ...slice, part: 1, head }).dataSync<'float32'>(),
          )
          for (let i = 0; i < tokens; i++) out.set(result.subarray(i * part, (i + 1) * part), at + i * width)
        }
      }
    }
    return tf.tensor2d(out, [q.shape[0] ?? 0, width])
  },
}
