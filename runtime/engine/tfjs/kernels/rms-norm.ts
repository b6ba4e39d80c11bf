/**
 * LlmRmsNorm: x / sqrt(mean(x²) + eps) * weight over the last axis (Zhang and Sennrich, 2019).
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from './kernel.ts'

export interface RmsNormInputs {
  /** [..., dim] */
  x: tf.Tensor
  /** [dim]; absent = ones. */
  weight?: tf.Tensor
}

/** Answers x's shape. */
export const rmsNorm: Kernel<RmsNormInputs, { eps: number }> = {
  name: 'LlmRmsNorm',
  reference({ x, weight }, { eps }) {
    const meanSquare = tf.mean(tf.square(x), -1, true)
    const normed = tf.mul(x, tf.rsqrt(tf.add(meanSquare, eps)))
    return weight === undefined ? normed : tf.mul(normed, weight)
  },
}
