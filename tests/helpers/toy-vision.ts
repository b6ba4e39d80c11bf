/**
 * A toy encoder: vectors from a tile's pixels, each tile for itself, with a record of what it was asked.
 * @module
 */
import type { EncodeJob } from '../../runtime/engine/engine.ts'
import type { Vision } from '../../runtime/engine/vision/encoder.ts'
import type { RgbImage } from '../../runtime/engine/vision/image.ts'
import type { ImageSettings } from '../../runtime/engine/vision/settings.ts'
import { TOY_HIDDEN } from './toy-forward.ts'

const SIDE = 8
const TILE_TOKENS = 3
const TILE_FLOATS = 3 * SIDE * SIDE

export const toySettings: ImageSettings = {
  tileSize: SIDE,
  longestEdge: 4 * SIDE,
  splitting: true,
  mean: [127.5, 127.5, 127.5],
  deviation: [127.5, 127.5, 127.5],
  tileTokens: TILE_TOKENS,
}

export interface ToyVisionOptions {
  /** Tiles a call computes at once. @default {4} */
  together?: number
  /** Milliseconds a call takes, asleep. @default {0} */
  callMs?: number
  /** Throws for calls with a tile that begins with this level (0..255). */
  poison?: number
}

export interface ToyVision extends Vision {
  /** Tiles of each call. */
  readonly calls: number[]
}

export function toyVision(options: ToyVisionOptions & { during?: () => unknown } = {}): ToyVision {
  const { together = 4, callMs = 0, poison = -1, during } = options
  const calls: number[] = []
  let disposed = false
  return {
    calls,
    settings: toySettings,
    digest: 'v1',
    encoder: {
      config: {
        imageSize: SIDE, patchSize: 4, hiddenSize: 4, intermediateSize: 4, layers: 1, heads: 1, layerNormEps: 1e-6,
        scaleFactor: 1, outputSize: TOY_HIDDEN,
      },
      backend: 'toy',
      numerics: 'toy',
      tileTokens: TILE_TOKENS,
      together,
      async encode(pixels) {
        if (disposed) throw new Error('the toy encoder was disposed')
        const tiles = pixels.length / TILE_FLOATS
        calls.push(tiles)
        await during?.()
        if (callMs > 0) await new Promise((resolve) => setTimeout(resolve, callMs))
        const out = new Float32Array(tiles * TILE_TOKENS * TOY_HIDDEN)
        for (let tile = 0; tile < tiles; tile++) {
          const own = pixels.subarray(tile * TILE_FLOATS, (tile + 1) * TILE_FLOATS)
          if (Math.round(own[0]! * 127.5 + 127.5) === poison) throw new Error('the toy encoder was poisoned')
          const to = out.subarray(tile * TILE_TOKENS * TOY_HIDDEN, (tile + 1) * TILE_TOKENS * TOY_HIDDEN)
          own.forEach((value, i) => (to[i % to.length]! += value * Math.sin(i + 1)))
        }
        return out
      },
      memory: () => ({ bytes: 0, tensors: 0 }),
      dispose: () => void (disposed = true),
    },
  }
}

/** A picture of noise that repeats for the same sizes and seed. Its layout: ceil-sized tiles of 8, the longer side 32. */
export function toyImage(width: number, height: number, seed = 0): RgbImage {
  let state = seed + 1
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    state = Math.imul(state ^ (state >>> 13), 0x5bd1e995) + 0x6d2b79f5
    return state >>> 24
  })
  return { width, height, data }
}

/** A picture of one colour. */
export const plainImage = (width: number, height: number, level: number): RgbImage => ({
  width, height, data: new Uint8Array(width * height * 3).fill(level),
})

/** All of its tiles, or the view of the whole alone. */
export const encodeJob = (image: RgbImage, tiles: number[], whole = false): EncodeJob => ({ image, whole, tiles })
