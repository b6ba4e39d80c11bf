/**
 * VisPixelShuffle: squares of `scale` by `scale` patches side by side in one row, so that a tile becomes fewer, wider
 * tokens (Shi et al., 2016, the other way round).
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { Kernel } from '../../kernels/kernel.ts'

export interface PixelShuffleAttrs {
  /** Patches along a tile's side. */
  across: number
  scale: number
}

/** x [tiles * across², dim]; answers [tiles * (across / scale)², scale² * dim]: squares row by row, and patches too. */
export const pixelShuffle: Kernel<{ x: tf.Tensor }, PixelShuffleAttrs> = {
  name: 'VisPixelShuffle',
  reference({ x }, { across, scale }) {
    const [rows, dim] = x.shape as [number, number]
    const squares = across / scale
    const lines = tf.reshape(x, [rows / (across * scale), scale, squares, scale * dim])
    return tf.reshape(tf.transpose(lines, [0, 2, 1, 3]), [rows / scale ** 2, scale ** 2 * dim])
  },
}
