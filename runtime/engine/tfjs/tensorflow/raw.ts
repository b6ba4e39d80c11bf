/**
 * Operations of libtensorflow that tfjs has no name for, or reaches by a longer way.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import { nativeBackend, type OpAttr } from './load.ts'

/** TensorFlow's number for float32. */
const FLOAT = 1

const attrs = (transposeNames: readonly [string, string], transposeB: boolean): OpAttr[] => {
  const { TF_ATTR_TYPE, TF_ATTR_BOOL } = nativeBackend().binding
  return [
    { name: 'T', type: TF_ATTR_TYPE, value: FLOAT },
    { name: transposeNames[0], type: TF_ATTR_BOOL, value: false },
    { name: transposeNames[1], type: TF_ATTR_BOOL, value: transposeB },
  ]
}

/** [rows, in] times [in, out]. `MatMul` itself: tfjs would call `BatchMatMulV2`, which takes a slower path. */
export function rawMatMul(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  return nativeBackend().executeSingleOutput('MatMul', attrs(['transpose_a', 'transpose_b'], false), [x, weight])
}

/** Softmax over the last axis, in one pass. */
export function rawSoftmax(x: tf.Tensor): tf.Tensor {
  const type = { name: 'T', type: nativeBackend().binding.TF_ATTR_TYPE, value: FLOAT }
  return nativeBackend().executeSingleOutput('Softmax', [type], [x])
}
