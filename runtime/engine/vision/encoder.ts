/**
 * The encoder port: tiles in, vectors of the decoder's width out. What implements it knows mathematics; nothing of
 * requests, prompts or files.
 * @module
 */
import type { VisionConfig } from '../load/source.ts'
import type { ImageSettings } from './settings.ts'

export interface ImageEncoder {
  readonly config: VisionConfig
  readonly backend: string
  /** Backend, dtype and kernel version: with the weights' digest, what decides the bits of the answer. */
  readonly numerics: string
  /** Tokens a tile becomes. */
  readonly tileTokens: number
  /** Tiles that are computed at once; with more in a call, so many after so many. */
  readonly together: number
  /**
   * `pixels` [tiles, 3, imageSize, imageSize]; answers [tiles * tileTokens, outputSize]. A tile's bits do not depend on
   * what else is in the call: tiles may be spread over several encoders. Error: `engine_failed` (no whole tile).
   */
  encode(pixels: Float32Array): Promise<Float32Array>
  /** Bytes the backend holds now, and live tensors (tests watch both). */
  memory(): { bytes: number; tensors: number }
  dispose(): void
}

/** An encoder and what it takes to serve pictures with it. */
export interface Vision {
  encoder: ImageEncoder
  /** How pictures are cut and scaled for it. */
  settings: ImageSettings
  /** Hex digest that names its weights and settings. */
  digest: string
}
