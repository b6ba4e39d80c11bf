/**
 * Variants of two references for libtensorflow, where products of many heads at once are fast and a copy to JavaScript
 * is not: plain products by the raw `MatMul`, attention over all heads of a sequence in two batched products. The rest
 * of the references are taken as they are.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { MatMulInputs } from '../kernels/mat-mul.ts'
import type { PagedAttentionAttrs } from '../kernels/paged-attention.ts'
import { type PoolSlice, readRows } from '../kernels/pool-read.ts'
import type { Span } from '../step.ts'
import { rawMatMul, rawSoftmax } from './raw.ts'

/** Query tokens that share one product: later ones of a prompt do not pay for keys that earlier ones cannot see. */
const TILE = 128

function matMul({ x, weight, bias }: MatMulInputs): tf.Tensor {
  const y = rawMatMul(x, weight)
  return bias === undefined ? y : tf.add(y, bias)
}

/** Masks of one step, which all its layers share; they go with the step's list of spans. */
const masks = new WeakMap<readonly Span[], Map<string, Float32Array>>()

/** Which tokens look at which keys. */
interface View {
  tokens: number
  /** Position of the first token. */
  start: number
  /** Position of the first key. */
  from: number
  window: number | undefined
}

/** [tokens, keys]; undefined when every token sees every key. */
function maskOf(spans: readonly Span[], view: View): tf.Tensor | undefined {
  const { tokens, start, from, window } = view
  const keys = start + tokens - from
  const hidden = window === undefined ? -Infinity : start - window + 1 - from
  if (tokens === 1 && hidden <= 0) return undefined
  const known = masks.get(spans) ?? new Map<string, Float32Array>()
  masks.set(spans, known)
  const name = `${tokens} ${keys} ${hidden}`
  const mask = known.get(name) ?? maskValues(tokens, keys, hidden)
  known.set(name, mask)
  return tf.tensor2d(mask, [tokens, keys])
}

/** 0 where a token may look, -inf elsewhere; the last token sees the last key, the first none before `hidden`. */
function maskValues(tokens: number, keys: number, hidden: number): Float32Array {
  const mask = new Float32Array(tokens * keys)
  for (let i = 0; i < tokens; i++) {
    mask.fill(-Infinity, i * keys + keys - tokens + i + 1, (i + 1) * keys)
    mask.fill(-Infinity, i * keys, i * keys + Math.max(0, hidden + i))
  }
  return mask
}

/**
 * q [rows, heads * dim] in and out. K and V are copied out of the pool once a sequence, into fresh arrays: the library
 * may go on reading an array that it was given.
 */
function pagedAttention(
  q: tf.Tensor,
  { pool, layer, spans, kvHeads, headDim: dim, window, scratch }: PagedAttentionAttrs,
): tf.Tensor {
  const [rows = 0, width = 0] = q.shape
  const heads = width / dim
  const group = heads / kvHeads
  const scaled = tf.reshape(tf.mul(q, 1 / Math.sqrt(dim)), [rows, heads, dim])
  const firstKey = (position: number) => (window === undefined ? 0 : Math.max(0, position - window + 1))

  const attend = ({ row, rows: count, start, table }: Span): tf.Tensor[] => {
    const from = firstKey(start)
    const all = start + count - from
    const slice: PoolSlice = { pool, layer, table, from, to: start + count, headDim: dim, scratch }
    const read = (part: 0 | 1): tf.Tensor3D => {
      const floats = new Float32Array(all * kvHeads * dim)
      readRows(slice, part, floats)
      return tf.tensor3d(floats, [kvHeads, all, dim])
    }
    const [k, v] = [read(0), read(1)]
    const tile = (done: number): tf.Tensor => {
      const tokens = Math.min(TILE, count - done)
      const first = start + done
      const skip = firstKey(first) - from
      const keys = first + tokens - from - skip
      const seen = (t: tf.Tensor3D) => (keys === all ? t : tf.slice(t, [0, skip, 0], [kvHeads, keys, dim]))
      const own = tokens === rows ? scaled : tf.slice(scaled, [row + done, 0, 0], [tokens, heads, dim])
      // Tokens inside, heads outside: the mask is then one block that repeats.
      const queries: tf.Tensor3D = tf.reshape(tf.transpose(own, [1, 0, 2]), [kvHeads, group * tokens, dim])
      const scores = tf.reshape(tf.matMul(queries, seen(k), false, true), [heads, tokens, keys])
      const mask = maskOf(spans, { tokens, start: first, from: from + skip, window })
      const weights = rawSoftmax(mask === undefined ? scores : tf.add(scores, mask))
      const mixed = tf.matMul(tf.reshape(weights, [kvHeads, group * tokens, keys]) as tf.Tensor3D, seen(v))
      return tf.reshape(tf.transpose(tf.reshape(mixed, [heads, tokens, dim]), [1, 0, 2]), [tokens, width])
    }
    const tiles = Array.from({ length: Math.ceil(count / TILE) }, (_, i) => tf.tidy(() => tile(i * TILE)))
    tf.dispose([k, v])
    return tiles
  }

  const parts = spans.flatMap(attend)
  const covered = spans.reduce((sum, span) => sum + span.rows, 0)
  // Rows that pad a step belong to no sequence.
  if (covered < rows) parts.push(tf.zeros([rows - covered, width]))
  return parts.length === 1 ? (parts[0] as tf.Tensor) : tf.concat(parts, 0)
}

/** Idempotent. */
export function registerTensorflowKernels(): void {
  const backendName = 'tensorflow'
  if (tf.getKernel('LlmMatMul', backendName) != null) return
  tf.registerKernel({
    kernelName: 'LlmMatMul',
    backendName,
    kernelFunc: ({ inputs }) => tf.tidy(() => matMul(inputs as unknown as MatMulInputs)),
  })
  tf.registerKernel({
    kernelName: 'LlmPagedAttention',
    backendName,
    kernelFunc: ({ inputs, attrs }) =>
      tf.tidy(() => pagedAttention(inputs['q'] as tf.Tensor, attrs as unknown as PagedAttentionAttrs)),
  })
}
