/**
 * Requests with pictures through any Engine: encode, then prefill with the vectors given now or later, then decode.
 * @module
 */
import { expect } from 'vitest'
import type { Engine, GivenMark, GivenVectors, SamplingParams, TokenOut } from '../../runtime/engine/engine.ts'
import type { RgbImage } from '../../runtime/engine/vision/image.ts'
import { decodeAll, newName, patience } from './toy-engine.ts'

/** A picture's tiles and their places in a prompt. */
export interface SeenPicture {
  image: RgbImage
  name: string
  /** Of each tile, in the order of its layout. */
  starts: readonly number[]
}

export interface SeenRequest {
  tokens: number[]
  pictures: SeenPicture[]
}

/** Vectors of all of a request's tiles, each picture in one call of the engine. */
export async function encodeAll(engine: Engine, { pictures }: SeenRequest): Promise<(GivenMark & { floats: Float32Array })[]> {
  const { tileTokens, hiddenSize, numerics } = engine.info.vision!
  const made = pictures.map(async ({ image, name, starts }) => {
    const tiles = starts.map((_, tile) => tile)
    const vectors = await engine.encode!({ image, whole: false, tiles }, patience())
    const size = tileTokens * hiddenSize
    expect(vectors).toHaveLength(tiles.length * size)
    return starts.map((start, tile) => ({
      start, tokens: tileTokens, name: `${name}/${tile}/${numerics}`, floats: vectors.slice(tile * size, (tile + 1) * size),
    }))
  })
  return (await Promise.all(made)).flat()
}

export const atOnce = (marks: readonly (GivenMark & { floats: Float32Array })[]): GivenVectors[] =>
  marks.map(({ floats, ...mark }) => ({ ...mark, vectors: Promise.resolve(floats) }))

export const notAtAll = (marks: readonly (GivenMark & { floats: Float32Array })[]): GivenVectors[] =>
  marks.map(({ floats: _, ...mark }) => ({ ...mark, vectors: new Promise(() => {}) }))

export interface Answer {
  outs: TokenOut[]
  cachedTokens: number
}

export interface AnswerOptions {
  /** Where it decodes, after the KV has moved there. */
  moveTo?: Engine
  /** Tokens it is known to begin with: decode starts from them. */
  known?: readonly number[]
}

/** All tokens, with their log probabilities where `sampling` asks for them. */
export async function answer(
  engine: Engine,
  tokens: number[],
  given: GivenVectors[],
  sampling: SamplingParams,
  { moveTo = engine, known = [] }: AnswerOptions = {},
): Promise<Answer> {
  const hold = newName()
  try {
    const { hold: info, first, cachedTokens } = await engine.prefill({ hold, tokens, sampling, choices: 1, given }, patience())
    if (moveTo !== engine) {
      const { bytes, digest } = await engine.exportHold(hold)
      const marks = given.map(({ vectors: _, ...mark }) => mark)
      await moveTo.importHold({ ...info, tokenIds: tokens, given: marks }, bytes, digest)
    }
    const generated = known.length > 0 ? [...known] : [first[0]!.token]
    const job = { hold, prompt: tokens, sampling, choices: [{ choice: 0, generated }] }
    return { outs: [...first, ...(await decodeAll(moveTo, job))], cachedTokens }
  } finally {
    for (const each of [engine, moveTo]) each.release(hold)
  }
}
