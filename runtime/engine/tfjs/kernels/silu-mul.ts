/**
 * LlmSiluMul: silu(gate) * up, the gated activation of Llama's feed-forward (SwiGLU, Shazeer 2020).
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from './kernel.ts'

export interface SiluMulInputs {
  /** [rows, inter] */
  gate: tf.Tensor
  /** [rows, inter] */
  up: tf.Tensor
}

/** Answers [rows, inter]. */
export const siluMul: Kernel<SiluMulInputs, Record<string, never>> = {
  name: 'LlmSiluMul',
  reference({ gate, up }) {
    return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up)
  },
}
