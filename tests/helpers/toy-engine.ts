/**
 * Engines on the toy model, and the few lines every engine test needs: prompts, sampling, one whole generation.
 * @module
 */
import type { DecodeJob, Engine, SamplingParams, TokenOut } from '../../runtime/engine/engine.ts'
import { EngineCore, type CoreOptions } from '../../runtime/engine/loop/core.ts'
import { toyForward, type ToyForward, type ToyOptions } from './toy-forward.ts'

/** A deadline for whatever a test waits for. */
export const patience = (): AbortSignal => AbortSignal.timeout(20_000)

export const greedy: SamplingParams = {
  maxTokens: 12, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 1, presencePenalty: 0, frequencyPenalty: 0,
  repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: false,
}

/** Every token of it depends on the generator. */
export const drawn: SamplingParams = { ...greedy, temperature: 1, seed: 42 }

/** A prompt that repeats for the same (length, seed) and differs otherwise from its first token on. */
export const prompt = (length: number, seed = 0): number[] =>
  Array.from({ length }, (_, i) => (Math.imul(i + 1, 2654435761) + Math.imul(seed + 1, 40503) + i * seed) >>> 8).map((n) => n % 90)

export function toyEngine(toy: ToyOptions = {}, sizes: Partial<CoreOptions> = {}): { engine: EngineCore; forward: ToyForward } {
  const forward = toyForward(toy)
  const engine = new EngineCore(forward, { model: 'toy', modelDigest: 'd1', blockTokens: 4, chunkTokens: 16, ...sizes })
  return { engine, forward }
}

/** A generation of a request, told apart by choice. */
export interface Generated {
  tokens: number[][]
  outs: TokenOut[]
  cachedTokens: number
}

let names = 0
export const newName = (): string => `hold-${names++}`

/** Prefill, decode, release: all tokens of all choices. */
export async function generate(
  engine: Engine,
  tokens: number[],
  sampling: SamplingParams,
  { choices = 1, signal = patience() }: { choices?: number; signal?: AbortSignal } = {},
): Promise<Generated> {
  const hold = newName()
  const { first, cachedTokens } = await engine.prefill({ hold, tokens, sampling, choices }, signal)
  const outs = [...first]
  const open = first.filter((out) => !out.finish)
  if (open.length > 0) {
    const job = { hold, prompt: tokens, sampling, choices: open.map(({ choice, token }) => ({ choice, generated: [token] })) }
    outs.push(...(await decodeAll(engine, job, signal)))
  }
  engine.release(hold)
  return { tokens: byChoice(outs, choices), outs, cachedTokens }
}

/** All tokens of a decode. */
export async function decodeAll(engine: Engine, job: DecodeJob, signal = patience()): Promise<TokenOut[]> {
  const outs: TokenOut[] = []
  await engine.decode(job, (tokens) => outs.push(...tokens), signal).done
  return outs
}

export const byChoice = (outs: TokenOut[], choices: number): number[][] =>
  Array.from({ length: choices }, (_, choice) => outs.filter((out) => out.choice === choice).map(({ token }) => token))
