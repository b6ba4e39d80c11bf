/**
 * One measured prefill and one measured decode through the engine port, greedy.
 * @module
 */
import type { SamplingParams } from '../runtime/engine/engine.ts'
import type { EngineThread } from '../runtime/engine/worker/client.ts'

const GREEDY: SamplingParams = {
  maxTokens: 1, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0, presencePenalty: 0, frequencyPenalty: 0,
  repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: true,
}
/** Decodes start from a short prompt, so that they measure decoding. */
export const DECODE_PROMPT = 16

/** A prompt that shares no first block with another run's: the prefix cache must not help. */
const promptOf = (engine: EngineThread, length: number, run: number): number[] =>
  Array.from({ length }, (_, i) => 3 + ((i * 31 + (run + 2) * 7919 + length) % (engine.info.vocabSize - 3)))

/** Milliseconds of one prompt of `length` tokens. */
export async function prefill(engine: EngineThread, length: number, run: number): Promise<number> {
  const { signal } = new AbortController()
  const hold = `prefill-${run}`
  const startedMs = performance.now()
  await engine.prefill({ hold, tokens: promptOf(engine, length, run), sampling: GREEDY, choices: 1 }, signal)
  const ms = performance.now() - startedMs
  engine.release(hold)
  return ms
}

/** Milliseconds for `tokens` tokens of each of `batch` choices, the first ones (prefill's) not counted. */
export async function decode(engine: EngineThread, batch: number, tokens: number, run: number): Promise<number> {
  const { signal } = new AbortController()
  const hold = `decode-${batch}-${run}`
  const prompt = promptOf(engine, DECODE_PROMPT, run + 1000 * batch)
  const sampling = { ...GREEDY, maxTokens: tokens + 1 }
  const { first } = await engine.prefill({ hold, tokens: prompt, sampling, choices: batch }, signal)
  const startedMs = performance.now()
  const choices = first.map(({ choice, token }) => ({ choice, generated: [token] }))
  await engine.decode({ hold, prompt, sampling, choices }, () => undefined, signal).done
  const ms = performance.now() - startedMs
  engine.release(hold)
  return ms
}
