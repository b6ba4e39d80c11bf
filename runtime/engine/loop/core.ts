/**
 * The engine itself, on the thread that computes: holds and jobs over one Forward and one paged cache. It knows
 * phases and room; nothing of threads, models' mathematics or the bus.
 * @module
 */
import { toVolleyError, VolleyError } from '../../errors.ts'
import { KvCache } from '../../kv/cache.ts'
import { KvPool } from '../../kv/pool.ts'
import type { DecodeJob, DecodeRun, EncodeJob, Engine, EngineInfo, EngineStats } from '../engine.ts'
import type { HoldContent, HoldInfo, PrefillJob, PrefillResult, TokenOut, VisionInfo } from '../engine.ts'
import type { Forward } from '../forward.ts'
import { handled } from '../handled.ts'
import type { Vision } from '../vision/encoder.ts'
import { checkDecode, checkPrefill } from './check.ts'
import { Encodes } from './encodes.ts'
import { type Hold, Holds } from './holds.ts'
import { Prefill } from './prefill.ts'
import { Run } from './run.ts'
import { decideSizes, type EngineSizes } from './size.ts'
import { Steps } from './steps.ts'
import { exportBlocks, importBlocks } from './transfer.ts'

export interface CoreOptions extends EngineSizes {
  /** Name in the API. */
  model: string
  /** Hex digest that names the weights. */
  modelDigest: string
  /** Where the model sees pictures; the engine owns its encoder from now on. */
  vision?: Vision
  /** Called after every step, when its tokens have been handed on, and after every turn of the encoder. */
  onStep?: () => void
}

export class EngineCore implements Engine {
  readonly info: EngineInfo
  /** Present where `info.vision` is. */
  readonly encode?: (job: EncodeJob, signal: AbortSignal) => Promise<Float32Array>
  readonly #forward: Forward
  readonly #vision: Vision | undefined
  /** Prefill chunks end on multiples of it; `undefined` = anywhere. */
  readonly #gridTokens: number | undefined
  readonly #cache: KvCache
  readonly #steps: Steps
  readonly #holds = new Holds()
  /** Imports under way; one that is released meanwhile keeps nothing. */
  readonly #imports = new Set<{ hold: string; released: boolean }>()

  constructor(forward: Forward, options: CoreOptions) {
    const sizes = decideSizes(forward.config, options)
    const gridTokens = forward.batchInvariant ? undefined : sizes.chunkTokens
    const numerics = [options.modelDigest, forward.numerics, ...(gridTokens ? [`chunk${gridTokens}`] : [])].join('/')
    const pool = new KvPool(sizes.shape, sizes.blocksTotal)
    this.#forward = forward
    this.#gridTokens = gridTokens
    this.#cache = new KvCache(pool, { numerics, gridTokens })
    const { vision, onStep = () => {} } = options
    const encodes = vision && new Encodes(vision)
    this.#vision = vision
    this.#steps = new Steps({ forward, pool, sizes, onStep, ...(encodes && { encodes }) })
    if (encodes) this.encode = (job, signal) => this.#encode(encodes, job, signal)
    this.info = {
      model: options.model,
      backend: forward.backend,
      numerics,
      vocabSize: forward.config.vocabSize,
      contextLength: sizes.contextLength,
      blockTokens: sizes.shape.blockTokens,
      blockBytes: sizes.blockBytes,
      blocksTotal: sizes.blocksTotal,
      maxBatch: sizes.maxBatch,
      ...(vision && { vision: visionInfo(vision) }),
    }
  }

  stats(): EngineStats {
    const { allocator, pool } = this.#cache
    const { prefills, running, meter } = this.#steps
    return {
      blocksFree: allocator.free,
      blocksCached: allocator.cached,
      blocksReserved: allocator.blocks - allocator.available,
      holds: this.#holds.size,
      prefillsWaiting: prefills.length,
      prefillTokensWaiting: prefills.reduce((sum, prefill) => sum + prefill.left, 0),
      encodeTilesWaiting: this.#steps.tilesWaiting,
      decodesRunning: running.length,
      decodeTokens: running.reduce((sum, choice) => sum + choice.tokens, 0),
      prefixHitTokens: meter.prefixHitTokens,
      prefillTokensTotal: meter.prefillTokens,
      decodeTokensTotal: meter.decodeTokens,
      stepMs: meter.stepMs,
      memoryBytes: this.#forward.memory().bytes + pool.data.byteLength,
      ...(this.#forward.pace && { pace: this.#forward.pace() }),
    }
  }

  hasRoom(tokens: number): boolean {
    return this.#cache.blocksFor(tokens) <= this.#cache.allocator.available
  }

  async prefill(job: PrefillJob, signal: AbortSignal): Promise<PrefillResult> {
    for (const { vectors } of job.given ?? []) handled(vectors)
    this.#admit(signal)
    checkPrefill(job, this.info)
    const { promise, resolve, reject } = Promise.withResolvers<PrefillResult>()
    const prefill = new Prefill(job, {
      cache: this.#cache,
      contextLength: this.info.contextLength,
      gridTokens: this.#gridTokens,
      hiddenSize: this.#forward.config.hiddenSize,
      onArrival: () => this.#steps.wake(),
      onDone: ({ hold, ...outcome }) => {
        this.#holds.put(hold)
        this.#steps.meter.prefixHitTokens += outcome.cachedTokens
        resolve({ hold: this.#infoOf(hold), ...outcome })
      },
      onFail: reject,
    })
    this.#steps.addPrefill(prefill)
    return await untilAborted(promise, signal, () => prefill.cancel())
  }

  /** Errors arrive through `done`, `kv_lost` and `kv_exhausted` too. */
  decode(job: DecodeJob, onTokens: (tokens: TokenOut[]) => void, signal: AbortSignal): DecodeRun {
    try {
      this.#admit(signal)
      const hold = this.#holds.need(job.hold)
      checkDecode(job, hold.tokens, this.info)
      const { contextLength } = this.info
      const run = new Run(job, {
        cache: this.#cache,
        hold,
        contextLength,
        remember: this.#forward.batchInvariant,
        onTokens: (tokens) => {
          this.#steps.meter.decodeTokens += tokens.length
          onTokens(tokens)
        },
      })
      this.#steps.addRun(run)
      return { done: handled(untilAborted(run.done, signal, () => run.cancel())), stop: (choice) => run.stop(choice) }
    } catch (error) {
      return { done: handled(Promise.reject(toVolleyError(error))), stop: () => {} }
    }
  }

  hold(name: string): HoldInfo | undefined {
    const hold = this.#holds.get(name)
    return hold && this.#infoOf(hold)
  }

  async exportHold(name: string): Promise<{ bytes: Uint8Array; digest: string }> {
    return await exportBlocks(this.#cache, this.#holds.need(name))
  }

  async importHold(info: HoldInfo & HoldContent, bytes: Uint8Array, digest: string): Promise<HoldInfo> {
    this.#admit()
    const own = { hold: info.hold, released: false }
    this.#imports.add(own)
    try {
      const hold = await importBlocks(this.#cache, info, bytes, digest, this.info)
      this.#holds.put(hold)
      if (!own.released) return this.#infoOf(hold)
      this.#holds.release(hold.name)
      throw new VolleyError('cancelled', `The import of "${hold.name}" was cancelled`)
    } finally {
      this.#imports.delete(own)
    }
  }

  /** A prefill or an import under way that would make the hold is cancelled. */
  release(name: string): void {
    for (const own of this.#imports) if (own.hold === name) own.released = true
    for (const prefill of this.#steps.prefills) if (prefill.job.hold === name) prefill.cancel()
    this.#holds.release(name)
  }

  /** Ends what runs (`shutting_down`), waits for the step under way, then lets the Forward go. */
  async close(): Promise<void> {
    if (this.#steps.closed) return await this.#steps.ended
    this.#steps.close(shuttingDown())
    await this.#steps.ended
    this.#forward.dispose()
    this.#vision?.encoder.dispose()
  }

  async #encode(encodes: Encodes, job: EncodeJob, signal: AbortSignal): Promise<Float32Array> {
    this.#admit(signal)
    const encode = encodes.add(job)
    this.#steps.wake()
    return await untilAborted(encode.done, signal, () => encodes.cancel(encode))
  }

  #infoOf({ name, tokens, table }: Hold): HoldInfo {
    const blocks = table.blocks.length
    const { blockBytes, numerics } = this.info
    return { hold: name, tokens: tokens.length, blocks, bytes: blocks * blockBytes, numerics }
  }

  /** Errors: `shutting_down`, `cancelled`. */
  #admit(signal?: AbortSignal): void {
    if (this.#steps.closed) throw shuttingDown()
    if (signal?.aborted) throw new VolleyError('cancelled', 'The job was cancelled before it began')
  }
}

function visionInfo({ encoder, digest }: Vision): VisionInfo {
  const { numerics, tileTokens, config } = encoder
  return { numerics: `${digest}/${numerics}`, tileTokens, hiddenSize: config.outputSize }
}

const shuttingDown = () => new VolleyError('shutting_down', 'The engine is closing')

/** The promise, with the signal heard until it settles. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, cancel: () => void): Promise<T> {
  signal.addEventListener('abort', cancel, { once: true })
  return promise.finally(() => signal.removeEventListener('abort', cancel))
}
