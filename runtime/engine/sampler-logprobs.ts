/**
 * Log probabilities to report. They are those of the model itself (vLLM's default): log-softmax of the raw logits at
 * temperature 1, before bias, penalties and truncation. They decide no token, so `Math.log` is good enough.
 * @module
 */
import { expNegative } from './sampler-exp.ts'

export interface Logprobs {
  logprob: number
  /** The likeliest tokens, best first, ties in order of id; the chosen one is among them only if it is that likely. */
  top?: [token: number, logprob: number][]
}

/** @param logits [vocab], as the model gave them; @param count alternatives wanted, 0 = only the chosen token's. */
export function logprobsOf(logits: Float32Array, token: number, count: number): Logprobs {
  let max = -Infinity
  for (let id = 0; id < logits.length; id++) if (logits[id]! > max) max = logits[id]!
  let mass = 0
  for (let id = 0; id < logits.length; id++) mass += expNegative(logits[id]! - max)
  const log = (id: number) => logits[id]! - max - Math.log(mass)
  const logprob = log(token)
  if (count === 0) return { logprob }
  return { logprob, top: greatest(logits, count).map((id) => [id, log(id)]) }
}

/** Ids of the `count` greatest, by insertion: count is small (at most 20 at the front door). */
function greatest(logits: Float32Array, count: number): number[] {
  const ids: number[] = []
  let least = -Infinity
  for (let id = 0; id < logits.length; id++) {
    if (ids.length === count && logits[id]! <= least) continue
    let at = ids.length
    while (at > 0 && logits[ids[at - 1]!]! < logits[id]!) at--
    ids.splice(at, 0, id)
    if (ids.length > count) ids.pop()
    least = logits[ids.at(-1)!]!
  }
  return ids
}
