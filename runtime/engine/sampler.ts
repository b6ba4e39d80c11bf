/**
 * From logits to a token. Order: logit bias, penalties, then greedy, or temperature, top-k, min-p, top-p and one draw
 * keyed by (seed, choice, index). Knows one row at a time; nothing of batches or sequences.
 *
 * Everything that decides a token is IEEE addition, multiplication, division and comparison in a fixed order: the same
 * logits give the same token on every machine.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { SamplingParams } from './engine.ts'
import { expNegative } from './sampler-exp.ts'
import type { Penalties } from './sampler-penalties.ts'
import { logprobsOf, type Logprobs } from './sampler-logprobs.ts'
import { uniform } from './sampler-random.ts'
import { truncate } from './sampler-truncate.ts'

/** What one draw depends on besides the logits. */
export interface Draw {
  sampling: SamplingParams
  choice: number
  /** Position among the choice's generated tokens. */
  index: number
  /** Undefined = none wanted. */
  penalties: Penalties | undefined
}

/**
 * Draws one token. Error: `engine_failed` when the logits are not numbers.
 *
 * @param logits [vocab]; not changed
 */
export function sample(logits: Float32Array, draw: Draw): { token: number } & Partial<Logprobs> {
  const { sampling } = draw
  const scores = Float64Array.from(logits)
  for (const [token, bias] of sampling.logitBias) if (token < scores.length) scores[token]! += bias
  draw.penalties?.apply(scores, sampling)
  const best = argmax(scores)
  const token = sampling.temperature === 0 ? best : drawFrom(scores, best, draw)
  return sampling.topLogprobs === undefined ? { token } : { token, ...logprobsOf(logits, token, sampling.topLogprobs) }
}

/** The greatest score's id, the lowest on ties. */
function argmax(scores: Float64Array): number {
  let best = 0
  for (let id = 0; id < scores.length; id++) {
    if (Number.isNaN(scores[id])) throw notNumbers()
    if (scores[id]! > scores[best]!) best = id
  }
  if (!Number.isFinite(scores[best]!)) throw notNumbers()
  return best
}

/** Overwrites `scores` by weights, then walks along them until the drawn share of their mass is reached. */
function drawFrom(scores: Float64Array, best: number, { sampling, choice, index }: Draw): number {
  const max = scores[best]!
  for (let id = 0; id < scores.length; id++) scores[id] = expNegative((scores[id]! - max) / sampling.temperature)
  const kept = truncate(scores, sampling)
  const count = kept?.length ?? scores.length
  let mass = 0
  for (let i = 0; i < count; i++) mass += scores[kept?.[i] ?? i]!
  const share = uniform(sampling.seed, choice, index) * mass
  let reached = 0
  for (let i = 0; i < count; i++) {
    const id = kept?.[i] ?? i
    reached += scores[id]!
    if (reached > share) return id
  }
  return best
}

const notNumbers = () =>
  new VolleyError('engine_failed', 'The model answered with logits that are not finite numbers', {
    remedy: 'Try another --engine or --dtype; if the error stays, the model file is damaged.',
  })
