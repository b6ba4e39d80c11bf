/**
 * One prompt on its way into the cache: chunk by chunk, from the cached prefix on, until the first tokens are drawn.
 * It knows its own sequence; nothing of others or of when it runs.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { Reservation } from '../../kv/allocator.ts'
import type { KvCache } from '../../kv/cache.ts'
import type { BlockChain } from '../../kv/prefix.ts'
import type { BlockTable } from '../../kv/table.ts'
import type { PrefillJob, TokenOut } from '../engine.ts'
import type { Chunk } from '../forward.ts'
import { hasPenalties, Penalties } from '../sampler-penalties.ts'
import { Job } from './job.ts'
import { drawToken } from './draw.ts'
import { Hold } from './holds.ts'

/** What becomes of a prefill. */
export interface PrefillOutcome {
  hold: Hold
  first: TokenOut[]
  cachedTokens: number
  computeMs: number
}

export interface PrefillOptions {
  cache: KvCache
  contextLength: number
  /** Chunks end on multiples of it; `undefined` = anywhere. */
  gridTokens: number | undefined
  onDone(outcome: PrefillOutcome): void
  onFail(error: unknown): void
}

export class Prefill extends Job {
  readonly kind = 'prefill'
  readonly job: PrefillJob
  readonly #options: PrefillOptions
  readonly #table: BlockTable
  readonly #chain: BlockChain
  readonly #reservation: Reservation
  #computed = 0
  #cached = 0
  #started = false
  #taken = 0
  #computeMs = 0

  /** Reserves the prompt's blocks, those it finds in the cache apart. Error: `kv_exhausted`. */
  constructor(job: PrefillJob, options: PrefillOptions) {
    super()
    const { cache } = options
    this.job = job
    this.#options = options
    this.#table = cache.table()
    this.#chain = cache.chain()
    const found = cache.lookUp(job.tokens, this.#chain)
    const firstUnshared = found.findIndex((block) => cache.allocator.refs(block) === 0)
    this.#table.share(firstUnshared === -1 ? found : found.slice(0, firstUnshared))
    try {
      this.#reservation = cache.allocator.reserve(cache.blocksFor(job.tokens.length) - this.#table.blocks.length)
    } catch (error) {
      this.#table.release()
      throw error
    }
    this.#adoptFound(found)
  }

  /** Prompt tokens still to compute. */
  get left(): number {
    return this.job.tokens.length - this.#computed
  }

  next(most: number): Chunk {
    // Others may have computed more of the same prefix since this prompt came.
    if (!this.#started) this.#adoptFound(this.#options.cache.lookUp(this.job.tokens, this.#chain))
    this.#started = true
    const { gridTokens } = this.#options
    const start = this.#computed
    const room = gridTokens === undefined ? most : gridTokens - (start % gridTokens)
    this.#taken = Math.min(this.left, room)
    const end = start + this.#taken
    this.#table.prepare(start, end, this.#reservation)
    const tokens = this.job.tokens.slice(start, end)
    return { tokens, start, table: this.#table.blocks, logits: end === this.job.tokens.length ? 'last' : 'none' }
  }

  apply(logits: Float32Array, stepMs: number): void {
    const { cache } = this.#options
    this.#computed += this.#taken
    this.#computeMs += stepMs
    cache.remember(this.job.tokens, this.#chain, this.#table, this.#computed)
    if (this.left > 0) return
    const first = this.#drawFirst(logits)
    const hold = new Hold(this.job.hold, this.job.tokens, this.#table.fork(), this.#chain)
    this.end()
    this.#options.onDone({ hold, first, cachedTokens: this.#cached, computeMs: this.#computeMs })
  }

  /** Ends it because nobody wants it any more. */
  cancel(): void {
    this.fail(new VolleyError('cancelled', `The prefill of "${this.job.hold}" was cancelled`))
  }

  fail(error: unknown): void {
    if (this.end()) this.#options.onFail(error)
  }

  protected free(): void {
    this.#table.release()
    this.#reservation.release()
  }

  #adoptFound(found: number[]): void {
    this.#table.adopt(found.slice(this.#table.blocks.length), this.#reservation)
    this.#cached = this.#computed = this.#table.blocks.length * this.#options.cache.pool.shape.blockTokens
  }

  /** Token 0 of every choice, all from the prompt's last logits. */
  #drawFirst(logits: Float32Array): TokenOut[] {
    const { sampling, tokens, choices } = this.job
    const penalties = hasPenalties(sampling) ? new Penalties(tokens) : undefined
    const place = { promptTokens: tokens.length, contextLength: this.#options.contextLength }
    const draw = (choice: number) => drawToken(logits, { sampling, choice, index: 0, penalties }, place)
    return Array.from({ length: choices }, (_, choice) => draw(choice))
  }
}
