/**
 * LlmRope: rotary positions in rotate-half order (element i pairs with i + dim/2), as in Hugging Face's Llama.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from './kernel.ts'

export interface RopeInputs {
  /** [rows, heads * headDim] */
  x: tf.Tensor
  /** [rows, 1, headDim / 2], each row's own position */
  cos: tf.Tensor
  sin: tf.Tensor
}

export interface RopeAttrs {
  heads: number
  headDim: number
}

/** Answers x's shape. */
export const rope: Kernel<RopeInputs, RopeAttrs> = {
  name: 'LlmRope',
  reference({ x, cos, sin }, { heads, headDim }) {
    const rows = x.shape[0] ?? 0
    const half = headDim / 2
    const split = tf.reshape(x, [rows, heads, headDim])
    const a = tf.slice(split, [0, 0, 0], [rows, heads, half])
    const b = tf.slice(split, [0, 0, half], [rows, heads, half])
    const turned = tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))], 2)
    return tf.reshape(turned, x.shape)
  },
}
