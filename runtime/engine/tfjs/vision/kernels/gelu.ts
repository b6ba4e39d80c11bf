/**
 * VisGelu: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x³))), the tanh form of GELU (Hendrycks and Gimpel, 2016).
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from '../../kernels/kernel.ts'

/** Answers x's shape. */
export const gelu: Kernel<{ x: tf.Tensor }, Record<string, never>> = {
  name: 'VisGelu',
  reference({ x }) {
    const cube = tf.mul(tf.mul(x, x), x)
    const inner = tf.mul(tf.add(x, tf.mul(cube, 0.044715)), Math.sqrt(2 / Math.PI))
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1))
  },
}
