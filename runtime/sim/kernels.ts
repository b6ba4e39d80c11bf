/**
 * How long an iteration of a measured GPU takes, by the kernels in it: finer than the law that policies predict with
 * (runtime/policy/profile.ts), because real iterations bend. Work per token rides along while the weights are read and
 * costs only beyond that; decodes beside a prefill lose their own attention kernel; cards that share a model exchange.
 * @module
 */

/** x -> ms: linear between the knots, beyond the last in proportion: a busy GPU does twice the work in twice the time. */
export type Curve = readonly (readonly [x: number, ms: number])[]

export interface KernelLaw {
  /** Everything done once a token (the products with the weights), by tokens in the iteration, decodes included. */
  readonly dense: Curve
  /** LM head and sampler, by sequences that get a token. */
  readonly head: Curve
  /** Attention of prefills alone: constant, per pair, per token of context, per token of the chunk. */
  readonly prefill: readonly [number, number, number, number]
  /** Attention of decodes alone: constant, per resident token, per sequence. */
  readonly decode: readonly [number, number, number]
  /**
   * Attention of both in one launch: the seven terms above with one constant, then per decode and token of the longest
   * chunk (the launch is as wide as the longest query, for every sequence). Null = not measured: the sum is taken.
   */
  readonly mixed: readonly [number, number, number, number, number, number, number] | null
  /** All-reduces between the cards that share the model: by tokens; absent = one card. */
  readonly exchange?: Curve
}

/** What is in an iteration. */
export interface IterationWork {
  /** Prefill tokens; sum of (k + x)² - k² and of k + x over chunks of x tokens after k; longest chunk. */
  tokens: number
  pairs: number
  context: number
  longest: number
  /** Tokens resident in the decodes, and how many decodes. */
  resident: number
  sequences: number
}

/** Time at x: below the first knot its own. */
export function curveMs(curve: Curve, x: number): number {
  const last = curve.length - 1
  const [endX, endMs] = curve[last]!
  if (x >= endX) return endX > 0 ? endMs * x / endX : endMs
  let next = 1
  while (next < last && curve[next]![0] < x) next++
  const [x0, y0] = curve[next - 1]!
  const [x1, y1] = curve[next]!
  return x <= x0 ? y0 : y0 + (y1 - y0) * (x - x0) / (x1 - x0)
}

/** Time of an iteration, ms. */
export function kernelMs(law: KernelLaw, work: IterationWork): number {
  const { tokens, sequences } = work
  const all = tokens + sequences
  const exchangeMs = law.exchange ? curveMs(law.exchange, all) : 0
  return curveMs(law.dense, all) + curveMs(law.head, Math.max(1, sequences)) + attentionMs(law, work) + exchangeMs
}

function attentionMs({ prefill, decode, mixed }: KernelLaw, work: IterationWork): number {
  const { tokens, pairs, context, longest, resident, sequences } = work
  if (mixed && tokens > 0 && sequences > 0) {
    const [base, perPair, perContext, perToken, perResident, perSequence, perCross] = mixed
    return base + perPair * pairs + perContext * context + perToken * tokens + perResident * resident +
      perSequence * sequences + perCross * sequences * longest
  }
  let ms = 0
  if (tokens > 0) ms += prefill[0] + prefill[1] * pairs + prefill[2] * context + prefill[3] * tokens
  if (sequences > 0) ms += decode[0] + decode[1] * resident + decode[2] * sequences
  return ms
}
