/**
 * VisTileAttention: softmax(q K' / sqrt(dim)) V among the patches of each tile: every patch sees all of its tile and
 * nothing else, so a tile's result is the same whatever shares the step. Two-dimensional products a tile and head.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from '../../kernels/kernel.ts'
import type { Scratch } from '../../kernels/scratch.ts'

export interface TileAttentionInputs {
  /** [tiles * patches, heads * dim] each */
  q: tf.Tensor
  k: tf.Tensor
  v: tf.Tensor
}

export interface TileAttentionAttrs {
  /** Patches a tile. */
  patches: number
  heads: number
  scratch: Scratch
}

/** Answers q's shape. */
export const tileAttention: Kernel<TileAttentionInputs, TileAttentionAttrs> = {
  name: 'VisTileAttention',
  reference({ q, k, v }, { patches: rows, heads, scratch }) {
    const [all, width] = q.shape as [number, number]
    const dim = width / heads
    const queries = tf.mul(q, 1 / Math.sqrt(dim)).dataSync<'float32'>()
    const keys = k.dataSync<'float32'>()
    const values = v.dataSync<'float32'>()
    const out = new Float32Array(queries.length)
    // Cut in JavaScript: tfjs-wasm's slice copies its whole input first. Keys as columns spare a transposition.
    const ownQ = scratch.take('tile-q', rows * dim)
    const ownK = scratch.take('tile-k', rows * dim)
    const ownV = scratch.take('tile-v', rows * dim)
    const attend = (first: number): void => {
      for (let i = 0; i < rows; i++) {
        const at = first + i * width
        ownQ.set(queries.subarray(at, at + dim), i * dim)
        ownV.set(values.subarray(at, at + dim), i * dim)
        for (let j = 0; j < dim; j++) ownK[j * rows + i] = keys[at + j]!
      }
      const mixed = tf.tidy(() => {
        const scores = tf.matMul(tf.tensor2d(ownQ, [rows, dim]), tf.tensor2d(ownK, [dim, rows]))
        const weights: tf.Tensor2D = tf.exp(tf.sub(scores, tf.max(scores, 1, true)))
        return tf.div(tf.matMul(weights, tf.tensor2d(ownV, [rows, dim])), tf.sum(weights, 1, true))
      })
      const result = mixed.dataSync<'float32'>()
      mixed.dispose()
      for (let i = 0; i < rows; i++) out.set(result.subarray(i * dim, (i + 1) * dim), first + i * width)
    }
    for (let tile = 0; tile < all; tile += rows) {
      for (let head = 0; head < heads; head++) attend(tile * width + head * dim)
    }
    return tf.tensor2d(out, [all, width])
  },
}
