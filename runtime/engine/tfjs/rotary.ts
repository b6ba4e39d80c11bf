/**
 * Rotary positions: inverse frequencies once a model, cosines and sines once a step. Computed in double precision and
 * rounded once, by functions that give the same bits in every runtime: an angle's bits depend on its position alone.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { DecoderConfig } from '../load/source.ts'
import { cosSin, powNegative } from '../portable-math.ts'

type RotaryConfig = Pick<DecoderConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>

/**
 * headDim / 2 inverse frequencies, theta^(-2i/dim), scaled. Llama-3 scaling leaves wavelengths short against the
 * original context, divides long ones by `factor`, and blends between (Llama 3.1's `rope_type: llama3`).
 */
export function inverseFrequencies({ headDim, ropeTheta, ropeScaling }: RotaryConfig): Float64Array {
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => powNegative(ropeTheta, (2 * i) / headDim))
  if (ropeScaling === undefined) return frequencies
  const { factor } = ropeScaling
  if (ropeScaling.type === 'linear') return frequencies.map((f) => f / factor)
  const { lowFreqFactor: low, highFreqFactor: high, originalContextLength: context } = ropeScaling
  return frequencies.map((f) => {
    const turns = (context * f) / (2 * Math.PI)
    if (turns > high) return f
    if (turns < low) return f / factor
    const blend = (turns - low) / (high - low)
    return (1 - blend) * (f / factor) + blend * f
  })
}

/**
 * Cosines and sines of each row's position, both [rows, 1, headDim]: every frequency twice, for either half; sines of the
 * first half negated, as they meet the second half of a row there.
 */
export function rotaryRows(frequencies: Float64Array, positions: Int32Array): { cos: tf.Tensor; sin: tf.Tensor } {
  const half = frequencies.length
  const shape: [number, number, number] = [positions.length, 1, 2 * half]
  const cos = new Float32Array(positions.length * 2 * half)
  const sin = new Float32Array(positions.length * 2 * half)
  positions.forEach((position, row) => {
    frequencies.forEach((frequency, i) => {
      const at = row * 2 * half + i
      const [x, y] = cosSin(position * frequency)
      cos[at] = cos[at + half] = x
      sin[at + half] = y
      sin[at] = -y
    })
  })
  return { cos: tf.tensor3d(cos, shape), sin: tf.tensor3d(sin, shape) }
}

/** [dim, dim] with row y times it = (second half of y, first half of y). */
export function swapHalvesMatrix(dim: number): tf.Tensor {
  const matrix = new Float32Array(dim * dim)
  for (let i = 0; i < dim; i++) matrix[((i + dim / 2) % dim) * dim + i] = 1
  return tf.tensor2d(matrix, [dim, dim])
}
