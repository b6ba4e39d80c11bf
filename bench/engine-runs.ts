/**
 * One measured prefill, one measured decode (greedy) and one measured encode through the engine port; and runs of several
 * competitors in turns.
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

/** What can be measured. */
export interface Runner {
  name: string
  /** Milliseconds of one prompt of `length` tokens. */
  prefill(length: number, run: number): Promise<number>
  /** Milliseconds for `tokens` tokens of each of `batch` sequences, the first ones not counted; undefined = it cannot. */
  decode(batch: number, tokens: number, run: number): Promise<number> | undefined
  close(): Promise<void>
}

export const runnerOf = (name: string, engine: EngineThread): Runner => ({
  name,
  prefill: (length, run) => prefill(engine, length, run),
  decode: (batch, tokens, run) => decode(engine, batch, tokens, run),
  close: () => engine.close(),
})

/** One run each to warm up, then turn by turn: what disturbs the machine meanwhile disturbs all. Milliseconds of each. */
export async function inTurns(
  runners: readonly Runner[],
  repeats: number,
  work: (runner: Runner, run: number) => Promise<number> | undefined,
): Promise<number[][]> {
  const times = runners.map((): number[] => [])
  for (let run = -1; run < repeats; run++) {
    for (const [i, runner] of runners.entries()) {
      const ms = await work(runner, run)
      if (run >= 0 && ms !== undefined) times[i]?.push(ms)
    }
  }
  return times
}

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

/** Milliseconds of so many tiles of an uncut picture of noise, asked for in calls of `together`, its resizing included. */
export async function encode(engine: EngineThread, tiles: number, together: number, run: number): Promise<number> {
  const { signal } = new AbortController()
  const side = 64
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => Math.imul(i + run + 2, 0x9e3779b1) >>> 24)
  const startedMs = performance.now()
  for (let done = 0; done < tiles; done += together) {
    const asked = new Array<number>(Math.min(together, tiles - done)).fill(0)
    await engine.encode?.({ image: { width: side, height: side, data }, whole: true, tiles: asked }, signal)
  }
  return performance.now() - startedMs
}
