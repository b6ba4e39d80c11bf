/**
 * Attention on libtensorflow: all heads of a sequence, or of a picture's tile, in two batched products. A sequence's K
 * and V are copied out of the pool as they lie there, and turned by the library.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { PagedAttentionAttrs } from '../kernels/paged-attention.ts'
import { type PoolTokens, readTokens } from '../kernels/pool-read.ts'
import type { Span } from '../step.ts'
import type { Handle } from './load.ts'
import type { Ops } from './raw.ts'

/** Query tokens that share one product. Shorter tiles compute less that is masked, but their products are slower. */
const TILE = 256

/** Masks of one step, which all its layers share; they go with the step's list of spans. */
const masks = new WeakMap<readonly Span[], Map<string, Float32Array>>()

/** Which tokens look at which keys. */
interface View {
  tokens: number
  keys: number
  /** Keys before the first token's first one; negative or zero = none. */
  hidden: number
}

/** [tokens, keys]; undefined when every token sees every key. */
function maskOf(ops: Ops, spans: readonly Span[], { tokens, keys, hidden }: View): Handle | undefined {
  if (tokens === 1 && hidden <= 0) return undefined
  const known = masks.get(spans) ?? new Map<string, Float32Array>()
  masks.set(spans, known)
  const name = `${tokens} ${keys} ${hidden}`
  const mask = known.get(name) ?? maskValues(tokens, keys, hidden)
  known.set(name, mask)
  return ops.floats(mask, [tokens, keys])
}

/** For tokens that see all keys up to their own, the last of which is the last token's. */
export const causalMask = (tokens: number, keys: number): Float32Array => maskValues(tokens, keys, -Infinity)

/** 0 where a token may look, -inf elsewhere; the last token sees the last key, the first none before `hidden`. */
function maskValues(tokens: number, keys: number, hidden: number): Float32Array {
  const mask = new Float32Array(tokens * keys)
  for (let i = 0; i < tokens; i++) {
    mask.fill(-Infinity, i * keys + keys - tokens + i + 1, (i + 1) * keys)
    mask.fill(-Infinity, i * keys, i * keys + Math.max(0, hidden + i))
  }
  return mask
}

/** K and V as they lie in the pool, [tokens, kvHeads, 1, dim]: the 1 stands for the query heads that share a KV head. */
export function readKv(ops: Ops, slice: PoolTokens, kvHeads: number): [k: Handle, v: Handle] {
  const { kvDim } = slice.pool.shape
  const tokens = slice.to - slice.from
  const read = (part: 0 | 1): Handle => {
    const floats = new Float32Array(tokens * kvDim)
    readTokens(slice, part, floats)
    return ops.floats(floats, [tokens, kvHeads, 1, kvDim / kvHeads])
  }
  return [read(0), read(1)]
}

/** q [rows, heads * dim] in and out. */
export function attend(
  ops: Ops,
  q: tf.Tensor,
  { pool, layer, spans, kvHeads, headDim: dim, scale, window }: PagedAttentionAttrs,
): tf.Tensor {
  const [rows = 0, width = 0] = q.shape
  const heads = width / dim
  const group = heads / kvHeads
  const scaled = scale === 1 ? ops.of(q) : ops.mul(ops.of(q), ops.scalar(scale))
  const firstKey = (position: number) => (window === undefined ? 0 : Math.max(0, position - window + 1))

  const attendSpan = ({ row, rows: count, start, table }: Span): Handle[] => {
    const from = firstKey(start)
    const all = start + count - from
    const [k, v] = readKv(ops, { pool, layer, table, from, to: start + count }, kvHeads)

    const tile = (done: number): Handle => {
      const tokens = Math.min(TILE, count - done)
      const first = start + done
      const skip = firstKey(first) - from
      const keys = first + tokens - from - skip
      /** [kvHeads, 1, keys, dim] */
      const seen = (x: Handle): Handle => {
        const cut = keys === all ? x : ops.slice(x, [skip, 0, 0, 0], [keys, kvHeads, 1, dim])
        return ops.transpose(cut, 1, 2, 0, 3)
      }
      const own = tokens === rows ? scaled : ops.slice(scaled, [row + done, 0], [tokens, width])
      const queries = ops.transpose(ops.reshape(own, tokens, kvHeads, group, dim), 1, 2, 0, 3)
      const [ownK, ownV] = [seen(k), seen(v)]
      /** [kvHeads, group, tokens, keys] */
      let scores = ops.matMuls(queries, ownK, true)
      const hidden = window === undefined ? -Infinity : first - window + 1 - from - skip
      const mask = maskOf(ops, spans, { tokens, keys, hidden })
      if (mask !== undefined) {
        const masked = ops.add(scores, mask)
        ops.free(scores, mask)
        scores = masked
      }
      const weights = ops.softmax(scores)
      ops.free(scores)
      const mixed = ops.matMuls(weights, ownV, false)
      ops.free(weights, ownK, ownV)
      return ops.reshape(ops.transpose(mixed, 2, 0, 1, 3), tokens, width)
    }
    const tiles = Array.from({ length: Math.ceil(count / TILE) }, (_, i) => tile(i * TILE))
    ops.free(k, v)
    return tiles
  }

  const parts = spans.flatMap(attendSpan)
  const covered = spans.reduce((sum, span) => sum + span.rows, 0)
  // Rows that pad a step belong to no sequence.
  if (covered < rows) parts.push(ops.floats(new Float32Array((rows - covered) * width), [rows - covered, width]))
  return ops.give(parts.length === 1 ? (parts[0] as Handle) : ops.concat(parts), [rows, width])
}

/** q, k and v [tiles * patches, heads * dim], answers the same shape. Tile by tile: none touches another's bits. */
export function attendTiles(ops: Ops, inputs: [tf.Tensor, tf.Tensor, tf.Tensor], patches: number, heads: number): tf.Tensor {
  const [all = 0, width = 0] = inputs[0].shape
  const dim = width / heads
  const [q, k, v] = inputs.map(ops.of) as [Handle, Handle, Handle]
  const scaled = ops.mul(q, ops.scalar(1 / Math.sqrt(dim)))
  const tile = (row: number): Handle => {
    /** [heads, patches, dim] */
    const ofHeads = (x: Handle): Handle =>
      ops.transpose(ops.reshape(ops.slice(x, [row, 0], [patches, width]), patches, heads, dim), 1, 0, 2)
    const scores = ops.matMuls(ofHeads(scaled), ofHeads(k), true)
    const weights = ops.softmax(scores)
    ops.free(scores)
    const mixed = ops.matMuls(weights, ofHeads(v), false)
    ops.free(weights)
    return ops.reshape(ops.transpose(mixed, 1, 0, 2), patches, width)
  }
  const tiles = Array.from({ length: all / patches }, (_, i) => tile(i * patches))
  return ops.give(tiles.length === 1 ? (tiles[0] as Handle) : ops.concat(tiles), [all, width])
}
