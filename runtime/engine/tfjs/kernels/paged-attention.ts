/**
 * LlmPagedAttention: softmax(scale * q K') V of each sequence over the keys in its own blocks, causal, with
 * grouped query heads and an optional sliding window. Two-dimensional products a KV head; keys that a row may not see
 * get weight exp(-inf) = 0, and adding zeros changes no bits, so a row's result is the same in a chunk of any size.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { KvPool } from '../../../kv/pool.ts'
import type { Span } from '../step.ts'
import type { Kernel } from './kernel.ts'
import { type PoolSlice, readColumns, readRows } from './pool-read.ts'
import type { Scratch } from './scratch.ts'

export interface PagedAttentionAttrs {
  pool: KvPool
  layer: number
  spans: readonly Span[]
  kvHeads: number
  headDim: number
  /** What scores are multiplied with. */
  scale: number
  /** Positions a token sees, itself included; undefined = all. */
  window: number | undefined
  scratch: Scratch
}

/** Query tokens that share one product: later ones of a prompt do not pay for keys that earlier ones cannot see. */
const TILE = 128

/**
 * A window's first key is rounded down to a multiple of this. tfjs-cpu adds products in groups of 48 keys, counted
 * from the first: with groups at fixed positions, where a chunk begins does not change a row's bits.
 */
const KEY_GRID = 48

/** Queries at `start` .. `start + tokens - 1`, and the keys they may see. */
interface Geometry {
  tokens: number
  /** Query heads a KV head. */
  group: number
  start: number
  window: number | undefined
  /** Position of the first key. */
  from: number
  keys: number
  dim: number
}

/** What one KV head mixes: scaled queries [tokens * group, dim], K and V as the function wants them, the mask. */
interface Head {
  q: tf.Tensor2D
  k: Float32Array
  v: Float32Array
  mask: Float32Array | undefined
}

/** 0 where a token may look, -inf elsewhere: [tokens, keys]; undefined when every token sees every key. */
function maskOf({ tokens, start, window, from, keys }: Geometry): Float32Array | undefined {
  const hidden = window === undefined ? -Infinity : start - window + 1 - from
  if (tokens === 1 && hidden <= 0) return undefined
  const mask = new Float32Array(tokens * keys)
  for (let i = 0; i < tokens; i++) {
    mask.fill(-Infinity, i * keys + start + i + 1 - from, (i + 1) * keys)
    mask.fill(-Infinity, i * keys, i * keys + Math.max(0, hidden + i))
  }
  return mask
}

/** Many rows: scores [tokens * group, keys] from K as columns [dim, keys] and V as rows [keys, dim]. */
function wide({ tokens, group, keys, dim }: Geometry, { q, k, v, mask }: Head): tf.Tensor {
  let scores: tf.Tensor = tf.matMul(q, tf.tensor2d(k, [dim, keys]))
  if (mask !== undefined) {
    const masked = tf.add(tf.reshape(scores, [tokens, group, keys]), tf.tensor3d(mask, [tokens, 1, keys]))
    scores = tf.reshape(masked, [tokens * group, keys])
  }
  const weights = tf.exp(tf.sub(scores, tf.max(scores, 1, true)))
  const mixed = tf.matMul(weights as tf.Tensor2D, tf.tensor2d(v, [keys, dim]))
  return tf.div(mixed, tf.sum(weights, 1, true))
}

/**
 * One token: the same sums with K as rows and V as columns on the left, scores [keys, group]. The right side of a
 * product is packed anew every time on wasm, which for one token costs four times the product itself; here only the
 * small side is packed.
 */
function narrow({ keys, dim }: Geometry, { q, k, v, mask }: Head): tf.Tensor {
  let scores: tf.Tensor = tf.matMul(tf.tensor2d(k, [keys, dim]), tf.transpose(q))
  if (mask !== undefined) scores = tf.add(scores, tf.tensor2d(mask, [keys, 1]))
  const weights = tf.exp(tf.sub(scores, tf.max(scores, 0, true)))
  const mixed = tf.matMul(tf.tensor2d(v, [dim, keys]), weights as tf.Tensor2D)
  return tf.transpose(tf.div(mixed, tf.sum(weights, 0, true)))
}

/** Input q [rows, heads * headDim], positions already applied; answers the same shape. */
export const pagedAttention: Kernel<{ q: tf.Tensor }, PagedAttentionAttrs> = {
  name: 'LlmPagedAttention',
  reference({ q }, { pool, layer, spans, kvHeads, headDim: dim, scale, window, scratch }) {
    const width = q.shape[1] ?? 0
    const part = width / kvHeads
    // Rows are cut apart and put together in JavaScript: tfjs-wasm's slice copies its whole input first.
    const queries = tf.mul(q, scale).dataSync<'float32'>()
    const out = new Float32Array(queries.length)

    const attend = ({ row, start, table }: Span, done: number, tokens: number): void => {
      const first = start + done
      const seen = window === undefined ? 0 : Math.max(0, first - window + 1)
      const from = seen - (seen % KEY_GRID)
      const keys = first + tokens - from
      const [readK, readV, mix] = tokens === 1 ? [readRows, readColumns, narrow] : [readColumns, readRows, wide]
      const slice: PoolSlice = { pool, layer, table, from, to: first + tokens, headDim: dim, scratch }
      const k = scratch.take('k', keys * kvHeads * dim)
      const v = scratch.take('v', keys * kvHeads * dim)
      readK(slice, 0, k)
      readV(slice, 1, v)
      const own = scratch.take('q', tokens * part)
      const geometry: Geometry = { tokens, group: part / dim, start: first, window, from, keys, dim }
      const mask = maskOf(geometry)
      for (let head = 0; head < kvHeads; head++) {
        const at = (row + done) * width + head * part
        for (let i = 0; i < tokens; i++) own.set(queries.subarray(at + i * width, at + i * width + part), i * part)
        // The tensor leaves the tidy, not its values: tfjs would look for tensors in every element of an array.
        const ofHead = [head * keys * dim, (head + 1) * keys * dim] as const
        const mixed = tf.tidy(() => {
          const queriesOfHead = tf.tensor2d(own, [(tokens * part) / dim, dim])
          return mix(geometry, { q: queriesOfHead, k: k.subarray(...ofHead), v: v.subarray(...ofHead), mask })
        })
        const result = mixed.dataSync<'float32'>()
        mixed.dispose()
        for (let i = 0; i < tokens; i++) out.set(result.subarray(i * part, (i + 1) * part), at + i * width)
      }
    }

    for (const span of spans) {
      for (let done = 0; done < span.rows; done += TILE) attend(span, done, Math.min(TILE, span.rows - done))
    }
    return tf.tensor2d(out, [q.shape[0] ?? 0, width])
  },
}
