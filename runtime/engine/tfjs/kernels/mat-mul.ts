/**
 * LlmMatMul: rows times a weight stored [in, out]. Two dimensions and no transposition on purpose: tfjs-wasm takes its
 * SIMD path only then (12 times faster), and it packs a weight once and keeps that.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from './kernel.ts'

export interface MatMulInputs {
  /** [rows, in] */
  x: tf.Tensor
  /** [in, out] */
  weight: tf.Tensor
  /** [out] */
  bias?: tf.Tensor
}

/** Answers [rows, out]. */
export const matMul: Kernel<MatMulInputs, Record<string, never>> = {
  name: 'LlmMatMul',
  reference({ x, weight, bias }) {
    const y = tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D)
    return bias === undefined ? y : tf.add(y, bias)
  },
}
