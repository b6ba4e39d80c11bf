/**
 * LlmKvAppend: writes a step's K and V rows into the pool, at the block and slot that each position has in its
 * sequence's table. Writes nowhere else, so sequences of one step never touch each other's blocks.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { KvPool } from '../../../kv/pool.ts'
import type { Span } from '../step.ts'
import type { Kernel } from './kernel.ts'

export interface KvAppendInputs {
  /** [rows, kvDim] */
  k: tf.Tensor
  v: tf.Tensor
}

export interface KvAppendAttrs {
  pool: KvPool
  layer: number
  spans: readonly Span[]
}

/** Answers no tensor. */
export const kvAppend: Kernel<KvAppendInputs, KvAppendAttrs, tf.Tensor[]> = {
  name: 'LlmKvAppend',
  reference({ k, v }, { pool, layer, spans }) {
    const { kvDim, blockTokens } = pool.shape
    const parts = [k.dataSync<'float32'>(), v.dataSync<'float32'>()] as const
    for (const { row, rows, start, table } of spans) {
      for (let i = 0; i < rows; ) {
        const position = start + i
        const slot = position % blockTokens
        const run = Math.min(blockTokens - slot, rows - i)
        const block = table[Math.floor(position / blockTokens)] as number
        for (const part of [0, 1] as const) {
          const from = parts[part].subarray((row + i) * kvDim, (row + i + run) * kvDim)
          pool.data.set(from, pool.offset(block, layer, part, slot))
        }
        i += run
      }
    }
    return []
  },
}
