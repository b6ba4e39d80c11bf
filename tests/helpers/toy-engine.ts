/**
 * Engines on the toy model, and the few lines every engine test needs: prompts, sampling, one whole generation.
 * @module
 */
import { expect } from 'vitest'
import type { DecodeJob, Engine, GivenVectors, SamplingParams, TokenOut } from '../../runtime/engine/engine.ts'
import { type CoreOptions, EngineCore } from '../../runtime/engine/loop/core.ts'
import { type ToyForward, toyForward, type ToyHooks, type ToyOptions } from './toy-forward.ts'

/** A deadline for whatever a test waits for. */
export const patience = (): AbortSignal => AbortSignal.timeout(20_000)

export const greedy: SamplingParams = {
  maxTokens: 12,
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  seed: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  logitBias: [],
  stopTokens: [],
  ignoreEos: false,
}

/** Every token of it depends on the generator. */
export const drawn: SamplingParams = { ...greedy, temperature: 1, seed: 42 }

/** A prompt that repeats for the same (length, seed) and differs otherwise from its first token on. */
export const prompt = (length: number, seed = 0): number[] =>
  Array.from({ length }, (_, i) => (Math.imul(i + 1, 2654435761) + Math.imul(seed + 1, 40503) + i * seed) >>> 8).map((
    n,
  ) => n % 90)

const open: EngineCore[] = []

/** An engine on this thread; {@linkcode closeToys} closes it. */
export function toyEngine(
  toy: ToyOptions & ToyHooks = {},
  sizes: Partial<CoreOptions> = {},
): { engine: EngineCore; forward: ToyForward } {
  const forward = toyForward(toy)
  const engine = new EngineCore(forward, { model: 'toy', modelDigest: 'd1', blockTokens: 4, chunkTokens: 16, ...sizes })
  open.push(engine)
  return { engine, forward }
}

/** After every test: closes all engines and sees that none has lost a block. */
export async function closeToys(): Promise<void> {
  for (const engine of open.splice(0)) {
    await engine.close()
    const { blocksFree, blocksReserved, holds } = engine.stats()
    expect({ blocksFree, blocksReserved, holds }).toEqual({
      blocksFree: engine.info.blocksTotal,
      blocksReserved: 0,
      holds: 0,
    })
  }
}

/** A generation of a request, told apart by choice. */
export interface Generated {
  tokens: number[][]
  outs: TokenOut[]
  cachedTokens: number
}

let names = 0
export const newName = (): string => `hold-${names++}`

export interface GenerateOptions {
  choices?: number
  signal?: AbortSignal
  given?: GivenVectors[]
}

/** Prefill, decode, release: all tokens of all choices. */
export async function generate(
  engine: Engine,
  tokens: number[],
  sampling: SamplingParams,
  { choices = 1, signal = patience(), given = [] }: GenerateOptions = {},
): Promise<Generated> {
  const hold = newName()
  try {
    const { first, cachedTokens } = await engine.prefill({ hold, tokens, sampling, choices, given }, signal)
    const outs = [...first]
    const more = first.filter((out) => !out.finish).map(({ choice, token }) => ({ choice, generated: [token] }))
    if (more.length > 0) {
      outs.push(...(await decodeAll(engine, { hold, prompt: tokens, sampling, choices: more }, signal)))
    }
    return { tokens: byChoice(outs, choices), outs, cachedTokens }
  } finally {
    engine.release(hold)
  }
}

/** All tokens of a decode. */
export async function decodeAll(engine: Engine, job: DecodeJob, signal = patience()): Promise<TokenOut[]> {
  const outs: TokenOut[] = []
  await engine.decode(job, (tokens) => outs.push(...tokens), signal).done
  return outs
}

export const byChoice = (outs: TokenOut[], choices: number): number[][] =>
  Array.from({ length: choices }, (_, choice) => outs.filter((out) => out.choice === choice).map(({ token }) => token))
