/**
 * A sampled token as it is reported, with the reason why it is the last one, if it is.
 * @module
 */
import type { SamplingParams, TokenOut } from '../engine.ts'
import { type Draw, sample } from '../sampler.ts'

/** How long a sequence may become. */
export interface Place {
  promptTokens: number
  contextLength: number
}

/** Most tokens a choice may have. */
export const tokenLimit = (sampling: SamplingParams, place: Place): number =>
  Math.min(sampling.maxTokens, place.contextLength - place.promptTokens)

/** Why a choice with `count` tokens, `token` the last of them, goes no further; `undefined` = it goes on. */
export function finishOf(sampling: SamplingParams, token: number, count: number, place: Place): TokenOut['finish'] {
  if (!sampling.ignoreEos && sampling.stopTokens.includes(token)) return 'stop'
  return count >= tokenLimit(sampling, place) ? 'length' : undefined
}

/** Draws and reports. @param logits [vocab] */
export function drawToken(logits: Float32Array, draw: Draw, place: Place): TokenOut {
  const { choice, index, sampling } = draw
  const drawn = sample(logits, draw)
  const finish = finishOf(sampling, drawn.token, index + 1, place)
  return { choice, index, ...drawn, ...(finish && { finish }) }
}
