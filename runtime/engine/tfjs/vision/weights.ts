/**
 * An encoder's tensors on the backend. Knows names and shapes; nothing of what is computed with them.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { VisionSource } from '../../load/source.ts'
import type { Linear } from '../linear.ts'
import { Upload } from '../upload.ts'

/** [hidden] each. */
export interface Norm {
  weight: tf.Tensor
  bias: tf.Tensor
}

export interface VisionLayer {
  attnNorm: Norm
  q: Linear
  k: Linear
  v: Linear
  o: Linear
  ffnNorm: Norm
  up: Linear
  down: Linear
}

export interface VisionWeights {
  patch: Linear
  /** [patches, hidden] */
  positions: tf.Tensor
  layers: VisionLayer[]
  norm: Norm
  connector: Linear
  dispose(): void
}

/** Errors: `model_file_invalid` (a tensor is missing), `tensor_shape`. Nothing stays allocated after an error. */
export function loadVisionWeights(source: VisionSource): VisionWeights {
  const { hiddenSize: hidden, intermediateSize: inter, patchSize, imageSize, scaleFactor, outputSize } = source.config
  const upload = new Upload(source)
  const norm = (name: string): Norm => ({
    weight: upload.vector(name, hidden),
    bias: upload.vector(`${name}Bias`, hidden),
  })
  const linear = (name: string, out: number, inner: number) => upload.linear(name, out, inner, 'required')
  try {
    const filters = upload.read('patch', [hidden, 3, patchSize, patchSize])
    return {
      patch: { weight: upload.turned(filters, hidden, 3 * patchSize ** 2), bias: upload.vector('patchBias', hidden) },
      positions: upload.plain('positions', [(imageSize / patchSize) ** 2, hidden]),
      layers: Array.from({ length: source.config.layers }, (_, i) => ({
        attnNorm: norm(`${i}.attnNorm`),
        q: linear(`${i}.q`, hidden, hidden),
        k: linear(`${i}.k`, hidden, hidden),
        v: linear(`${i}.v`, hidden, hidden),
        o: linear(`${i}.o`, hidden, hidden),
        ffnNorm: norm(`${i}.ffnNorm`),
        up: linear(`${i}.up`, inter, hidden),
        down: linear(`${i}.down`, hidden, inter),
      })),
      norm: norm('norm'),
      connector: upload.linear('connector', outputSize, hidden * scaleFactor ** 2),
      dispose: upload.dispose,
    }
  } catch (error) {
    upload.dispose()
    throw error
  }
}
