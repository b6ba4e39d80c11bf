/**
 * What the phases read out of a request's context.
 * @module
 */
import type { SamplingParams } from '../runtime/engine/engine.ts'
import type { LlmContext } from '../runtime/machine/generate.ts'
import type { Services } from '../runtime/pool/actor.ts'
import { Choices, type StopWatch } from './choices.ts'

export const samplingOf = (context: LlmContext): SamplingParams => context.sampling as unknown as SamplingParams

/** Fresh bookkeeping of the request's choices. */
export function choicesOf(context: LlmContext, { stopWatch }: Services): Choices {
  const { n, stop } = context
  const watch = stop.length === 0 ? undefined : (): StopWatch => stopWatch(stop)
  return new Choices(n, samplingOf(context), watch)
}
