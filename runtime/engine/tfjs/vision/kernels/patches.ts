/**
 * VisPatches: tiles to rows of patches, so that the encoder's first convolution, whose stride is its width, becomes a
 * product with a matrix. Copied in JavaScript memory and uploaded once, as LlmEmbed does.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from '../../kernels/kernel.ts'

export interface PatchesAttrs {
  /** [tiles, 3, side, side] */
  pixels: Float32Array
  side: number
  patch: number
}

/** Answers [tiles * patches, 3 * patch * patch]: patches row by row, each as planes. */
export const patches: Kernel<Record<string, never>, PatchesAttrs> = {
  name: 'VisPatches',
  reference(_, { pixels, side, patch }) {
    const across = side / patch
    const width = 3 * patch * patch
    const planes = pixels.length / (side * side)
    const out = new Float32Array(pixels.length)
    for (let plane = 0; plane < planes; plane++) {
      const first = Math.floor(plane / 3) * across * across
      const channel = plane % 3
      for (let y = 0; y < side; y++) {
        const row = first + Math.floor(y / patch) * across
        const within = (channel * patch + (y % patch)) * patch
        const from = (plane * side + y) * side
        for (let p = 0; p < across; p++) {
          out.set(pixels.subarray(from + p * patch, from + (p + 1) * patch), (row + p) * width + within)
        }
      }
    }
    return tf.tensor2d(out, [pixels.length / width, width])
  },
}
