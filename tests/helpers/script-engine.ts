/**
 * An engine without a model: token i of a choice is a fixed function of (prompt, given vectors, seed, choice, i), and every
 * token and tile takes a while of the handed-in clock. It keeps the port's promises about holds, so that protocol tests
 * are about the protocol.
 * @module
 */
import { createHash } from 'node:crypto'
import { type Clock, sleep } from '../../runtime/clock.ts'
import type { DecodeJob, DecodeRun, EncodeJob, Engine, EngineInfo, EngineStats, GivenMark } from '../../runtime/engine/engine.ts'
import type { HoldContent, HoldInfo, PrefillJob, PrefillResult, TokenOut, VisionInfo } from '../../runtime/engine/engine.ts'
import type { RgbImage } from '../../runtime/engine/vision/image.ts'
import { VolleyError } from '../../runtime/errors.ts'

const BLOCK_TOKENS = 4
const BLOCK_BYTES = 16

/** What every engine of this kind says for (prompt, seed, choice, index). */
export function scriptedToken(prompt: readonly number[], seed: number, choice: number, index: number): number {
  const digest = createHash('sha256').update(JSON.stringify([prompt, seed, choice, index])).digest()
  return 3 + (digest[0]! % 90)
}

export const SCRIPT_VISION: VisionInfo = { numerics: 'script-eye-1', tileTokens: 2, hiddenSize: 3 }

/** Vectors that every engine of this kind makes of a tile. */
export function scriptedTile({ data }: RgbImage, whole: boolean, tile: number): Float32Array {
  const digest = createHash('sha256').update(data).update(JSON.stringify([whole, tile])).digest()
  return Float32Array.from({ length: SCRIPT_VISION.tileTokens * SCRIPT_VISION.hiddenSize }, (_, i) => digest[i]! / 7)
}

/** A prompt with what was given in its places: what the tokens are a function of. */
export function scriptedPrompt(tokens: readonly number[], given: readonly { start: number; vectors: Float32Array }[]): number[] {
  const prompt = [...tokens]
  for (const { start, vectors } of given) {
    for (let i = 0; i < SCRIPT_VISION.tileTokens; i++) {
      const row = vectors.subarray(i * SCRIPT_VISION.hiddenSize, (i + 1) * SCRIPT_VISION.hiddenSize)
      prompt[start + i] = 1_000 + createHash('sha256').update(Uint8Array.from(new Uint8Array(row.slice().buffer))).digest().readUInt16LE(0)
    }
  }
  return prompt
}

export interface ScriptEngineOptions {
  clock: Clock
  /** Sees no pictures. */
  blind?: boolean
  tileMs?: number
  tokenMs?: number
  prefillMs?: number
  blocksTotal?: number
  maxBatch?: number
}

export class ScriptEngine implements Engine {
  readonly info: EngineInfo
  private readonly clock: Clock
  private readonly tokenMs: number
  private readonly prefillMs: number
  private readonly tileMs: number
  private readonly holds = new Map<string, { info: HoldInfo; prompt: number[]; marks: readonly GivenMark[] }>()
  /** Tiles encoded so far. */
  encoded = 0
  /** One tile after the other. */
  private encoding: Promise<unknown> = Promise.resolve()
  private running = 0
  private reserved = 0

  constructor({ clock, blind = false, tileMs = 20, tokenMs = 5, prefillMs = 10, blocksTotal = 1000, maxBatch = 8 }: ScriptEngineOptions) {
    this.clock = clock
    this.tokenMs = tokenMs
    this.prefillMs = prefillMs
    this.tileMs = tileMs
    this.info = {
      model: 'script', backend: 'script', numerics: 'script-1', vocabSize: 100, contextLength: 512,
      blockTokens: BLOCK_TOKENS, blockBytes: BLOCK_BYTES, blocksTotal, maxBatch, ...(blind ? {} : { vision: SCRIPT_VISION }),
    }
  }

  stats(): EngineStats {
    const used = [...this.holds.values()].reduce((sum, h) => sum + h.info.blocks, this.reserved)
    return {
      blocksFree: this.info.blocksTotal - used, blocksCached: 0, blocksReserved: used, holds: this.holds.size,
      prefillsWaiting: 0, prefillTokensWaiting: 0, encodeTilesWaiting: 0, decodesRunning: this.running, decodeTokens: 0, prefixHitTokens: 0,
      prefillTokensTotal: 0, decodeTokensTotal: 0, stepMs: 0, memoryBytes: 0,
    }
  }

  hasRoom(tokens: number): boolean {
    return this.stats().blocksFree * BLOCK_TOKENS >= tokens
  }

  async encode({ image, whole, tiles }: EncodeJob, signal: AbortSignal): Promise<Float32Array> {
    const made = tiles.map(async (tile) => {
      const before = this.encoding
      const mine = before.then(() => sleep(this.clock, this.tileMs, signal))
      this.encoding = mine.catch(() => undefined)
      await mine
      this.encoded++
      return scriptedTile(image, whole, tile)
    })
    const vectors = await Promise.all(made)
    return Float32Array.from(vectors.flatMap((v) => [...v]))
  }

  async prefill({ hold, tokens, sampling, choices, given = [] }: PrefillJob, signal: AbortSignal): Promise<PrefillResult> {
    this.reserve(tokens.length)
    this.keep(hold, tokens, given)
    let prompt = tokens
    try {
      const vectors = await Promise.all(given.map(async ({ start, vectors }) => ({ start, vectors: await vectors })))
      prompt = scriptedPrompt(tokens, vectors)
      await sleep(this.clock, this.prefillMs, signal)
      if (!this.holds.has(hold)) throw new VolleyError('cancelled', `Prefill "${hold}" was released`)
    } catch (error) {
      this.release(hold)
      throw error
    }
    const info = this.keep(hold, prompt, given)
    const first = Array.from({ length: choices }, (_, choice) => this.token(prompt, sampling.seed, choice, 0, sampling.maxTokens))
    return { hold: info, first, cachedTokens: 0, computeMs: this.prefillMs }
  }

  decode(job: DecodeJob, onTokens: (tokens: TokenOut[]) => void, signal: AbortSignal): DecodeRun {
    const stopped = new Set<number>()
    const run = async () => {
      const held = this.holds.get(job.hold)
      if (!held) throw new VolleyError('kv_lost', `Cannot decode: no hold "${job.hold}"`)
      const blocks = Math.ceil((job.sampling.maxTokens * job.choices.length) / BLOCK_TOKENS)
      this.reserve(blocks * BLOCK_TOKENS)
      this.reserved += blocks
      this.running++
      try {
        const open = new Map(job.choices.map((c) => [c.choice, c.generated.length]))
        while (open.size > 0) {
          await sleep(this.clock, this.tokenMs, signal)
          const tokens: TokenOut[] = []
          for (const [choice, index] of open) {
            if (stopped.has(choice)) open.delete(choice)
            else {
              const token = this.token(held.prompt, job.sampling.seed, choice, index, job.sampling.maxTokens)
              tokens.push(token)
              if (token.finish) open.delete(choice)
              else open.set(choice, index + 1)
            }
          }
          if (tokens.length > 0) onTokens(tokens)
        }
      } finally {
        this.reserved -= blocks
        this.running--
      }
    }
    return { stop: (choice) => void stopped.add(choice), done: run() }
  }

  hold(name: string): HoldInfo | undefined {
    return this.holds.get(name)?.info
  }

  exportHold(name: string): Promise<{ bytes: Uint8Array; digest: string }> {
    const held = this.holds.get(name)
    if (!held) return Promise.reject(new VolleyError('kv_lost', `Cannot export: no hold "${name}"`))
    const bytes = contentOf(held.prompt, held.marks)
    return Promise.resolve({ bytes, digest: digestOf(bytes) })
  }

  importHold(info: HoldInfo & HoldContent, bytes: Uint8Array, digest: string): Promise<HoldInfo> {
    if (digestOf(bytes) !== digest) return Promise.reject(new VolleyError('transfer_failed', 'Cannot import: the digest differs'))
    if (!this.hasRoom(info.tokens)) return Promise.reject(new VolleyError('kv_exhausted', 'No room'))
    const [prompt, marks] = JSON.parse(new TextDecoder().decode(bytes)) as [number[], GivenMark[]]
    const said = marksOnly(info.given ?? [])
    if (JSON.stringify(said) !== JSON.stringify(marks)) return Promise.reject(new VolleyError('transfer_failed', 'Cannot import: other vectors were given'))
    return Promise.resolve(this.keep(info.hold, prompt, marks))
  }

  release(hold: string): void {
    this.holds.delete(hold)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  private reserve(tokens: number): void {
    if (!this.hasRoom(tokens)) throw new VolleyError('kv_exhausted', `No room for ${tokens} tokens`)
  }

  private keep(hold: string, prompt: number[], marks: readonly GivenMark[]): HoldInfo {
    const blocks = Math.ceil(prompt.length / BLOCK_TOKENS)
    const bytes = contentOf(prompt, marksOnly(marks)).length
    const info = { hold, tokens: prompt.length, blocks, bytes, numerics: this.info.numerics }
    this.holds.set(hold, { info, prompt, marks: marksOnly(marks) })
    return info
  }

  private token(prompt: number[], seed: number, choice: number, index: number, maxTokens: number): TokenOut {
    const token = scriptedToken(prompt, seed, choice, index)
    return { choice, index, token, ...(index + 1 >= maxTokens ? { finish: 'length' as const } : {}) }
  }
}

const marksOnly = (marks: readonly GivenMark[]): GivenMark[] => marks.map(({ start, tokens, name }) => ({ start, tokens, name }))

/** What stands for a hold's KV. */
const contentOf = (prompt: readonly number[], marks: readonly GivenMark[]): Uint8Array => new TextEncoder().encode(JSON.stringify([prompt, marks]))

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
