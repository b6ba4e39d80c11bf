/**
 * Variants of the references for libtensorflow, out of its raw operations, where products of many heads at once are fast
 * and every call has its price. Kernels that are not here are taken as they are.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from '../kernels/kernel.ts'
import { matMul } from '../kernels/mat-mul.ts'
import { pagedAttention } from '../kernels/paged-attention.ts'
import { rmsNorm } from '../kernels/rms-norm.ts'
import { rope } from '../kernels/rope.ts'
import { siluMul } from '../kernels/silu-mul.ts'
import { tileAttention } from '../vision/kernels/tile-attention.ts'
import { attend, attendTiles } from './attention.ts'
import { type Ops, withOps } from './raw.ts'

/** Idempotent. */
export function registerTensorflowKernels(): void {
  register(matMul, (ops, { x, weight, bias }) => {
    const y = ops.matMul(ops.of(x), ops.of(weight))
    return ops.give(bias === undefined ? y : ops.add(y, ops.of(bias)), [x.shape[0] ?? 0, weight.shape[1] ?? 0])
  })
  register(rmsNorm, (ops, { x, weight }, { eps }) => {
    const own = ops.of(x)
    const dim = x.shape.at(-1) ?? 0
    // The norm in one pass over x; what follows has one number a row.
    const sums = ops.square(ops.rowNorms(own))
    const factors = ops.mul(ops.rsqrt(ops.add(sums, ops.scalar(eps * dim))), ops.scalar(Math.sqrt(dim)))
    const normed = ops.mul(own, factors)
    return ops.give(weight === undefined ? normed : ops.mul(normed, ops.of(weight)), x.shape)
  })
  register(rope, (ops, { x, cos, sin }, { heads, headDim }) => {
    const own = ops.reshape(ops.of(x), x.shape[0] ?? 0, heads, headDim)
    const turned = ops.mul(ops.roll(own, headDim / 2, 2), ops.of(sin))
    return ops.give(ops.reshape(ops.add(ops.mul(own, ops.of(cos)), turned), ...x.shape), x.shape)
  })
  register(siluMul, (ops, { gate, up }) => {
    const own = ops.of(gate)
    return ops.give(ops.mul(ops.timesSigmoid(own, own), ops.of(up)), gate.shape)
  })
  register(tileAttention, (ops, { q, k, v }, { patches, heads }) => attendTiles(ops, [q, k, v], patches, heads))
  register(pagedAttention, (ops, { q }, attrs) => attend(ops, q, attrs))
}

function register<I extends object, A extends object>(
  { name: kernelName }: Kernel<I, A>,
  variant: (ops: Ops, inputs: I, attrs: A) => tf.Tensor,
): void {
  const backendName = 'tensorflow'
  if (tf.getKernel(kernelName, backendName) != null) return
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs }) =>
      withOps((ops) => variant(ops, inputs as unknown as I, attrs as unknown as A)),
  })
}
