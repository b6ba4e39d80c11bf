/**
 * From logits to a token. Order: logit bias, penalties, then greedy, or temperature, top-k, min-p, top-p and one draw
 * keyed by (seed, choice, index). Knows one row at a time; nothing of batches or sequences.
 *
 * Everything that decides a token is IEEE arithmetic in a fixed order: the same logits give the same token on every
 * machine.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { SamplingParams } from './engine.ts'
import { expNegative } from './sampler-exp.ts'
import { type Logprobs, logprobsOf } from './sampler-logprobs.ts'
import type { Penalties } from './sampler-penalties.ts'
import { uniform } from './sampler-random.ts'
import { findCut } from './sampler-truncate.ts'

/** What one draw depends on besides the logits. */
export interface Draw {
  sampling: SamplingParams
  choice: number
  /** Position among the choice's generated tokens. */
  index: number
  /** Undefined = none wanted. */
  penalties: Penalties | undefined
}

/** Room for one row's scores, kept from row to row. */
let scratch = new Float64Array(0)

/**
 * Draws one token. Error: `engine_failed` when the logits are not numbers.
 *
 * @param logits [vocab]; not changed
 */
export function sample(logits: Float32Array, draw: Draw): { token: number } & Partial<Logprobs> {
  const { sampling } = draw
  const token = draw.sampling.temperature === 0
    ? argmax(adjusted(logits, draw))
    : drawFrom(scratchOf(logits), logits, draw)
  return sampling.topLogprobs === undefined ? { token } : { token, ...logprobsOf(logits, token, sampling.topLogprobs) }
}

/** The logits, or a changed copy of them where bias or penalties are wanted. */
function adjusted(logits: Float32Array, { sampling, penalties }: Draw): Float32Array | Float64Array {
  if (sampling.logitBias.length === 0 && !penalties) return logits
  const scores = scratchOf(logits)
  scores.set(logits)
  for (const [token, bias] of sampling.logitBias) if (token < scores.length) scores[token]! += bias
  penalties?.apply(scores, sampling)
  return scores
}

/** The id of the greatest score, the lowest id on ties. */
function argmax(scores: Float32Array | Float64Array): number {
  let [best, max] = [0, -Infinity]
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!
    if (score <= max) continue
    if (Number.isNaN(score)) throw notNumbers()
    best = id
    max = score
  }
  if (!Number.isFinite(max)) throw notNumbers()
  return best
}

/** Weighs all tokens, then walks along those that truncation leaves until the drawn share of their mass is reached. */
function drawFrom(weights: Float64Array, logits: Float32Array, draw: Draw): number {
  const { sampling, choice, index } = draw
  const scores = adjusted(logits, draw)
  const best = argmax(scores)
  const max = scores[best]!
  for (let id = 0; id < weights.length; id++) weights[id] = expNegative((scores[id]! - max) / sampling.temperature)
  const cut = findCut(weights, sampling)
  if (cut) dropBelow(weights, cut.weight, cut.ties)
  let mass = 0
  for (let id = 0; id < weights.length; id++) mass += weights[id]!
  const share = uniform(sampling.seed, choice, index) * mass
  let reached = 0
  for (let id = 0; id < weights.length; id++) {
    reached += weights[id]!
    if (reached > share) return id
  }
  return best
}

/** Sets the weights that a cut excludes to 0. */
function dropBelow(weights: Float64Array, least: number, ties: number): void {
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id]!
    if (weight < least || (weight === least && ties-- <= 0)) weights[id] = 0
  }
}

function scratchOf(logits: Float32Array): Float64Array {
  if (scratch.length !== logits.length) scratch = new Float64Array(logits.length)
  return scratch
}

const notNumbers = () =>
  new VolleyError('engine_failed', 'The model answered with logits that are not finite numbers', {
    remedy: 'Try another --engine or --dtype; if the error stays, the model file is damaged.',
  })
