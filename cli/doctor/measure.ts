/**
 * Run as a program with a backend's name and a model's path: how fast one runs the other, or why it does not. Writes one
 * JSON line.
 * @module
 */
import process from 'node:process'
import type { SamplingParams } from '../../runtime/engine/engine.ts'
import { startEngine } from '../../runtime/engine/worker/start.ts'
import { toVolleyError } from '../../runtime/errors.ts'

/** Tokens a second. */
export interface Rates {
  prefill: number
  decode: number
}

const GREEDY: SamplingParams = {
  ...{ maxTokens: 9, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0, presencePenalty: 0, frequencyPenalty: 0 },
  ...{ repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: true },
}
const PROMPT = 64
const TIMEOUT_MS = 60_000

/** Of one short prompt and of eight tokens after it, warm. */
async function measure(backend: string, modelPath: string): Promise<Rates> {
  const engine = await startEngine({ load: { modelPath, backend }, startTimeoutMs: TIMEOUT_MS, maxBatch: 1 })
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const length = Math.min(PROMPT, engine.info.contextLength - GREEDY.maxTokens - 1)
    const run = async (first: number): Promise<Rates> => {
      const hold = `doctor-${first}`
      const prompt = Array.from({ length }, (_, i) => (first + i * 31) % engine.info.vocabSize)
      const startedMs = performance.now()
      const { first: drawn } = await engine.prefill({ hold, tokens: prompt, sampling: GREEDY, choices: 1 }, signal)
      const prefilledMs = performance.now()
      const choices = drawn.map(({ choice, token }) => ({ choice, generated: [token] }))
      await engine.decode({ hold, prompt, sampling: GREEDY, choices }, () => {}, signal).done
      const rate = (tokens: number, ms: number) => Math.round((tokens * 1000) / ms)
      engine.release(hold)
      return { prefill: rate(length, prefilledMs - startedMs), decode: rate(GREEDY.maxTokens - 1, performance.now() - prefilledMs) }
    }
    await run(1)
    return await run(2)
  } finally {
    await engine.close()
  }
}

const [backend = '', modelPath = ''] = process.argv.slice(2)
try {
  process.stdout.write(`${JSON.stringify(await measure(backend, modelPath))}\n`)
} catch (thrown) {
  const { message, remedy } = toVolleyError(thrown)
  process.stdout.write(`${JSON.stringify({ error: message, remedy })}\n`)
}
