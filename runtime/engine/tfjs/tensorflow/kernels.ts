/**
 * Variants of two references for libtensorflow, where products of many heads at once are fast and a copy to JavaScript
 * is not: plain products by the raw `MatMul`, attention over all heads of a sequence in two batched products. The rest
 * of the references are taken as they are.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { MatMulInputs } from '../kernels/mat-mul.ts'
import type { PagedAttentionAttrs } from '../kernels/paged-attention.ts'
import { type PoolSlice, readColumns, readRows } from '../kernels/pool-read.ts'
import type { Span } from '../step.ts'
import { rawMatMul, rawSoftmax } from './raw.ts'

/** Query tokens that share one product: later ones of a prompt do not pay for keys that earlier ones cannot see. */
const TILE = 128

function matMul({ x, weight, bias }: MatMulInputs): tf.Tensor {
  const y = rawMatMul(x, weight)
  return bias === undefined ? y : tf.add(y, bias)
}

/** 0 where a token may look, -inf elsewhere: [1, tokens, 1, keys]; undefined when every token sees every key. */
function maskOf(tokens: number, start: number, from: number, window: number | undefined): tf.Tensor | undefined {
  const keys = start + tokens - from
  const hidden = window === undefined ? -Infinity : start - window + 1 - from
  if (tokens === 1 && hidden <= 0) return undefined
  const mask = new Float32Array(tokens * keys)
  for (let i = 0; i < tokens; i++) {
    mask.fill(-Infinity, i * keys + start + i + 1 - from, (i + 1) * keys)
    mask.fill(-Infinity, i * keys, i * keys + Math.max(0, hidden + i))
  }
  return tf.tensor(mask, [1, tokens, 1, keys])
}

/**
 * q [rows, heads * dim] in and out. K and V are copied out of the pool into fresh arrays: the library may go on reading
 * an array that it was given.
 */
function pagedAttention(
  q: tf.Tensor,
  { pool, layer, spans, kvHeads, headDim: dim, window, scratch }: PagedAttentionAttrs,
): tf.Tensor {
  const [rows = 0, width = 0] = q.shape
  const group = width / kvHeads / dim
  const scaled = tf.reshape(tf.mul(q, 1 / Math.sqrt(dim)), [rows, kvHeads, group, dim])

  const attend = ({ row, start, table }: Span, done: number, tokens: number): tf.Tensor =>
    tf.tidy(() => {
      const first = start + done
      const from = window === undefined ? 0 : Math.max(0, first - window + 1)
      const to = first + tokens
      const keys = to - from
      const slice: PoolSlice = { pool, layer, table, from, to, headDim: dim, scratch }
      const k = new Float32Array(keys * kvHeads * dim)
      const v = new Float32Array(keys * kvHeads * dim)
      readColumns(slice, 0, k)
      readRows(slice, 1, v)
      const part = tokens === rows ? scaled : tf.slice(scaled, [row + done, 0, 0, 0], [tokens, kvHeads, group, dim])
      const queries: tf.Tensor3D = tf.reshape(tf.transpose(part, [1, 0, 2, 3]), [kvHeads, tokens * group, dim])
      let scores: tf.Tensor = tf.matMul(queries, tf.tensor3d(k, [kvHeads, dim, keys]))
      const mask = maskOf(tokens, first, from, window)
      if (mask !== undefined) {
        const masked = tf.add(tf.reshape(scores, [kvHeads, tokens, group, keys]), mask)
        scores = tf.reshape(masked, [kvHeads, tokens * group, keys])
      }
      const mixed = tf.matMul(rawSoftmax(scores) as tf.Tensor3D, tf.tensor3d(v, [kvHeads, keys, dim]))
      const byToken = tf.transpose(tf.reshape(mixed, [kvHeads, tokens, group, dim]), [1, 0, 2, 3])
      return tf.reshape(byToken, [tokens, width])
    })

  const parts: tf.Tensor[] = []
  let covered = 0
  for (const span of spans) {
    for (let done = 0; done < span.rows; done += TILE) parts.push(attend(span, done, Math.min(TILE, span.rows - done)))
    covered += span.rows
  }
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
