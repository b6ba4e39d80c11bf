/**
 * LlmRope: rotary positions in rotate-half order (element i pairs with i + dim/2), as in Hugging Face's Llama:
 * x * cos + rotateHalf(x) * sin. Halves are swapped by a product with a permutation, which is exact in any arithmetic;
 * cutting x in halves and joining them took tfjs-wasm twice as long for 512 rows, four times for one. The minus of
 * rotateHalf is the sine's.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from './kernel.ts'

export interface RopeInputs {
  /** [rows, heads * headDim] */
  x: tf.Tensor
  /** [rows, 1, headDim], each row's own position; the second half repeats the first. */
  cos: tf.Tensor
  /** The same, negative in its first half. */
  sin: tf.Tensor
  /** [headDim, headDim]: y * swapHalves = (second half of y, first half of y). */
  swapHalves: tf.Tensor
}

export interface RopeAttrs {
  heads: number
  headDim: number
}

/** Answers x's shape. */
export const rope: Kernel<RopeInputs, RopeAttrs> = {
  name: 'LlmRope',
  reference({ x, cos, sin, swapHalves }, { heads, headDim }) {
    const rows = x.shape[0] ?? 0
    const shape = [rows, heads, headDim]
    const flat: tf.Tensor2D = tf.reshape(x, [rows * heads, headDim])
    const swapped = tf.reshape(tf.matMul(flat, swapHalves as tf.Tensor2D), shape)
    const turned = tf.add(tf.mul(tf.reshape(x, shape), cos), tf.mul(swapped, sin))
    return tf.reshape(turned, x.shape)
  },
}
