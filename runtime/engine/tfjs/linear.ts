/**
 * A linear layer: its weights and its one use, the same in decoders and encoders.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import { call } from './kernels/kernel.ts'
import { matMul } from './kernels/mat-mul.ts'

/** A matrix [in, out] and perhaps a bias [out]. */
export interface Linear {
  weight: tf.Tensor
  bias?: tf.Tensor
}

/** x [rows, in] to [rows, out]. */
export const linear = ({ weight, bias }: Linear, x: tf.Tensor): tf.Tensor =>
  call(matMul, bias === undefined ? { x, weight } : { x, weight, bias }, {})
