/**
 * VisLayerNorm: (x - mean) / sqrt(variance + eps) * weight + bias over the last axis (Ba et al., 2016).
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from '../../kernels/kernel.ts'

export interface LayerNormInputs {
  /** [rows, dim] */
  x: tf.Tensor
  /** [dim] */
  weight: tf.Tensor
  /** [dim] */
  bias: tf.Tensor
}

/** Answers x's shape. */
export const layerNorm: Kernel<LayerNormInputs, { eps: number }> = {
  name: 'VisLayerNorm',
  reference({ x, weight, bias }, { eps }) {
    const centred = tf.sub(x, tf.mean(x, -1, true))
    const variance = tf.mean(tf.square(centred), -1, true)
    return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, eps))), weight), bias)
  },
}
