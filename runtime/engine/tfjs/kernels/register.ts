/**
 * Registers the references of all kernels on a backend, except where a faster version already has the name.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { gelu } from '../vision/kernels/gelu.ts'
import { layerNorm } from '../vision/kernels/layer-norm.ts'
import { patches } from '../vision/kernels/patches.ts'
import { pixelShuffle } from '../vision/kernels/pixel-shuffle.ts'
import { tileAttention } from '../vision/kernels/tile-attention.ts'
import { embed } from './embed.ts'
import type { Kernel } from './kernel.ts'
import { kvAppend } from './kv-append.ts'
import { matMul } from './mat-mul.ts'
import { pagedAttention } from './paged-attention.ts'
import { rmsNorm } from './rms-norm.ts'
import { rope } from './rope.ts'
import { siluMul } from './silu-mul.ts'

function register<I extends object, A extends object, O extends tf.Tensor | tf.Tensor[]>(
  backendName: string,
  kernel: Kernel<I, A, O>,
): void {
  if (tf.getKernel(kernel.name, backendName) != null) return
  tf.registerKernel({
    kernelName: kernel.name,
    backendName,
    kernelFunc: ({ inputs, attrs }) => tf.tidy(() => kernel.reference(inputs as unknown as I, attrs as unknown as A)),
  })
}

/** Idempotent. A faster version must be registered before this, or after `tf.unregisterKernel`. */
export function registerKernels(backendName: string): void {
  register(backendName, embed)
  register(backendName, matMul)
  register(backendName, rmsNorm)
  register(backendName, rope)
  register(backendName, kvAppend)
  register(backendName, pagedAttention)
  register(backendName, siluMul)
  register(backendName, patches)
  register(backendName, layerNorm)
  register(backendName, gelu)
  register(backendName, tileAttention)
  register(backendName, pixelShuffle)
}
