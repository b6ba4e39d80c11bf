import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { startBackend } from '../../../../../runtime/engine/tfjs/backend.ts'
import { call } from '../../../../../runtime/engine/tfjs/kernels/kernel.ts'
import { siluMul } from '../../../../../runtime/engine/tfjs/kernels/silu-mul.ts'

it('registerKernels() leaves a faster version under its name, and fills the rest with references', async () => {
  let calls = 0
  tf.registerKernel({
    kernelName: siluMul.name,
    backendName: 'cpu',
    kernelFunc: ({ inputs }) => {
      calls++
      return siluMul.reference(inputs as { gate: tf.Tensor; up: tf.Tensor }, {})
    },
  })
  const run = () => {
    const inputs = { gate: tf.tensor1d([0, 2]), up: tf.tensor1d([3, 3]) }
    const values = call(siluMul, inputs, {}).dataSync()
    return [values[0], values[1]]
  }
  await startBackend('cpu')
  const own = tf.tidy(run)
  expect(calls).toBe(1)
  await startBackend('wasm')
  const reference = tf.tidy(run)
  expect(calls).toBe(1)
  expect(own[1]).toBeCloseTo(6 / (1 + Math.exp(-2)), 5)
  expect(reference[1]).toBeCloseTo(6 / (1 + Math.exp(-2)), 5)
})
