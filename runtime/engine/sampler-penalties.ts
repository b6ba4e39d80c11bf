/**
 * What has been said already, counted for the three penalties. Repetition (as introduced with CTRL) counts prompt and
 * output alike; presence and frequency (OpenAI's) count the output only.
 * @module
 */
import type { SamplingParams } from './engine.ts'

export class Penalties {
  readonly #prompt: ReadonlySet<number>
  readonly #output = new Map<number, number>()

  constructor(prompt: readonly number[]) {
    this.#prompt = new Set(prompt)
  }

  /** Counts one token of output. */
  add(token: number): void {
    this.#output.set(token, (this.#output.get(token) ?? 0) + 1)
  }

  /** Changes `logits` [vocab] in place. */
  apply(logits: Float64Array, sampling: SamplingParams): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = sampling
    if (repetitionPenalty !== 1) {
      for (const token of this.#prompt) repeat(logits, token, repetitionPenalty)
      for (const token of this.#output.keys()) {
        if (!this.#prompt.has(token)) repeat(logits, token, repetitionPenalty)
      }
    }
    for (const [token, count] of this.#output) {
      if (token < logits.length) logits[token]! -= presencePenalty + frequencyPenalty * count
    }
  }
}

/** Whether the parameters need the counts at all. */
export const hasPenalties = (sampling: SamplingParams): boolean =>
  sampling.repetitionPenalty !== 1 || sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0

/** Makes a token less likely for penalty > 1, whatever the sign of its logit. */
function repeat(logits: Float64Array, token: number, penalty: number): void {
  const logit = logits[token]
  if (logit !== undefined) logits[token] = logit > 0 ? logit / penalty : logit * penalty
}
