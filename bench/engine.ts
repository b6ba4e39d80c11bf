/**
 * `volley bench engine`: tokens a second of one engine on its own thread, prefill and decode apart, through the engine
 * port as an instance uses it (sampling included, greedy).
 *
 *     volley bench engine [--model PATH] [--engine wasm|cpu] [--threads 1] [--prompt 512] [--tokens 128] [--batch 1,8]
 *                         [--repeats 3] [--json]
 * @module
 */
import type { SamplingParams } from '../runtime/engine/engine.ts'
import { type EngineThread } from '../runtime/engine/worker/client.ts'
import { startEngine } from '../runtime/engine/worker/start.ts'
import { locateModel } from '../runtime/models/locate.ts'
import { benchFlags, count, counts, print, quantile, round } from './flags.ts'

const GREEDY: SamplingParams = {
  maxTokens: 1, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0, presencePenalty: 0, frequencyPenalty: 0,
  repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: true,
}
/** Decodes start from a short prompt, so that they measure decoding. */
const DECODE_PROMPT = 16

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, {
    model: process.env['VOLLEY_MODEL'] ?? '', engine: 'wasm', threads: '1', prompt: '512', tokens: '128', batch: '1,8', repeats: '3',
  })
  const path = await locateModel(flags.model === '' ? undefined : flags.model)
  const batches = counts('batch', flags.batch)
  const repeats = count('repeats', flags.repeats)
  for (const threads of counts('threads', flags.threads)) {
    if (threads > 1) process.stderr.write(`--threads ${threads}: stock ${flags.engine} kernels compute on one thread; the figures below are of one\n`)
    const engine = await startEngine({ load: { modelPath: path, backend: flags.engine }, maxBatch: Math.max(...batches) })
    try {
      const { contextLength } = engine.info
      const prompt = Math.min(count('prompt', flags.prompt), contextLength - 1)
      const tokens = Math.min(count('tokens', flags.tokens), contextLength - DECODE_PROMPT - 1)
      const base = { bench: 'engine', engine: engine.info.backend, dtype: 'f32', threads: 1 }
      await prefill(engine, prompt, -1)
      const prefills: number[] = []
      for (let i = 0; i < repeats; i++) prefills.push(await prefill(engine, prompt, i))
      print(json, { ...base, phase: 'prefill', batch: 1, tokens: prompt, tokensPerSecond: rate(prompt, prefills), repeats })
      for (const batch of batches) {
        const decodes: number[] = []
        for (let i = 0; i < repeats; i++) decodes.push(await decode(engine, batch, tokens, i))
        print(json, { ...base, phase: 'decode', batch, tokens, tokensPerSecond: rate(tokens * batch, decodes), repeats })
      }
    } finally {
      await engine.close()
    }
  }
}

const rate = (tokens: number, ms: number[]): number => round(tokens / (quantile(ms, 0.5) / 1000), 1)

/** A prompt that shares no first block with another run's: the prefix cache must not help. */
const promptOf = (engine: EngineThread, length: number, run: number): number[] =>
  Array.from({ length }, (_, i) => 3 + ((i * 31 + (run + 2) * 7919 + length) % (engine.info.vocabSize - 3)))

async function prefill(engine: EngineThread, length: number, run: number): Promise<number> {
  const { signal } = new AbortController()
  const hold = `prefill-${run}`
  const startedMs = performance.now()
  await engine.prefill({ hold, tokens: promptOf(engine, length, run), sampling: GREEDY, choices: 1 }, signal)
  const ms = performance.now() - startedMs
  engine.release(hold)
  return ms
}

/** Milliseconds for `tokens` tokens of each of `batch` choices, the first ones (prefill's) not counted. */
async function decode(engine: EngineThread, batch: number, tokens: number, run: number): Promise<number> {
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
