/**
 * The places of a prompt that pictures take, and what names their vectors: the same on the instance that encodes, on the
 * one that computes the prompt and on the one that takes its KV over.
 * @module
 */
import type { GivenMark } from '../runtime/engine/engine.ts'
import type { EncoderRef, PictureRef } from '../runtime/machine/generate.ts'

/** Names a tile's vectors, bit for bit. */
export const tileName = ({ key }: PictureRef, tile: number, { numerics }: { numerics: string }): string =>
  `${key}.${tile}@${numerics}`

/** Where the tiles of a request's pictures are in its prompt, in order. */
export const marksOf = (pictures: readonly PictureRef[], encoder: EncoderRef): GivenMark[] =>
  pictures.flatMap((picture) =>
    picture.starts.map((start, tile) => ({
      start,
      tokens: encoder.tileTokens,
      name: tileName(picture, tile, encoder),
    }))
  )
