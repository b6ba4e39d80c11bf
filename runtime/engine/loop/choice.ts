/**
 * One choice of a decode: its own sequence over the hold's shared blocks, one token a step. What it has already but
 * not in the cache (a resumed request's tokens) goes through the same path first.
 * @module
 */
import type { Reservation } from '../../kv/allocator.ts'
import type { KvCache } from '../../kv/cache.ts'
import type { BlockTable } from '../../kv/table.ts'
import type { SamplingParams, TokenOut } from '../engine.ts'
import type { Chunk } from '../forward.ts'
import { hasPenalties, Penalties } from '../sampler-penalties.ts'
import { drawToken, finishOf, type Place, tokenLimit } from './draw.ts'
import type { Hold } from './holds.ts'
import { Job } from './job.ts'

export interface ChoiceOptions {
  cache: KvCache
  hold: Hold
  sampling: SamplingParams
  choice: number
  /** Tokens it has already, at least one. */
  generated: readonly number[]
  contextLength: number
  /** True: finished blocks of prompt and output become findable as prefixes of later prompts. */
  remember: boolean
  onToken(token: TokenOut): void
  /** Finished, stopped or cancelled. */
  onEnd(): void
  onFail(error: unknown): void
}

export class Choice extends Job {
  readonly kind = 'decode'
  readonly choice: number
  readonly #options: ChoiceOptions
  readonly #place: Place
  readonly #generated: number[]
  readonly #table: BlockTable
  readonly #reservation: Reservation
  readonly #penalties: Penalties | undefined
  /** Positions whose KV is computed. */
  #computed: number
  #taken = 0

  /** Reserves all it can ever need. Error: `kv_exhausted`. */
  constructor(options: ChoiceOptions) {
    super()
    const { cache, hold, sampling, generated } = options
    this.choice = options.choice
    this.#options = options
    this.#place = { promptTokens: hold.tokens.length, contextLength: options.contextLength }
    this.#generated = [...generated]
    this.#computed = hold.tokens.length
    // The last token's KV is never computed; whole blocks of the prompt are shared, its partial last one is copied.
    const longest = hold.tokens.length + tokenLimit(sampling, this.#place) - 1
    const shared = Math.floor(hold.tokens.length / cache.pool.shape.blockTokens)
    this.#reservation = cache.allocator.reserve(Math.max(0, cache.blocksFor(longest) - shared))
    this.#table = hold.table.fork()
    this.#penalties = hasPenalties(sampling) ? new Penalties(hold.tokens) : undefined
    for (const token of generated) this.#penalties?.add(token)
  }

  /** Tokens in its sequence. */
  get tokens(): number {
    return this.#place.promptTokens + this.#generated.length
  }

  /** Its tokens whose KV is still to be computed: 1 in a running decode, more in a replay. */
  get left(): number {
    return this.tokens - this.#computed
  }

  /** True if the tokens it came with are all it may have. */
  get complete(): boolean {
    const { length } = this.#generated
    return finishOf(this.#options.sampling, this.#generated[length - 1]!, length, this.#place) !== undefined
  }

  next(most: number): Chunk {
    const start = this.#computed
    this.#taken = Math.min(this.left, most)
    const end = start + this.#taken
    this.#table.prepare(start, end, this.#reservation)
    const tokens = this.#generated.slice(start - this.#place.promptTokens, end - this.#place.promptTokens)
    const logits = end === this.tokens ? 'last' : 'none'
    return { tokens, start, table: this.#table.blocks, logits, generated: true }
  }

  apply(logits: Float32Array): void {
    this.#computed += this.#taken
    if (this.left > 0) return
    const { sampling, choice, onToken } = this.#options
    const draw = { sampling, choice, index: this.#generated.length, penalties: this.#penalties }
    const out = drawToken(logits, draw, this.#place)
    this.#generated.push(out.token)
    this.#penalties?.add(out.token)
    onToken(out)
    if (out.finish) this.stop()
  }

  /** Ends it with the tokens it has. */
  stop(): void {
    if (this.end()) this.#options.onEnd()
  }

  fail(error: unknown): void {
    if (this.end()) this.#options.onFail(error)
  }

  protected free(): void {
    const { cache, hold, remember } = this.#options
    const tokens = [...hold.tokens, ...this.#generated]
    if (remember) cache.remember(tokens, hold.chain.fork(), this.#table, this.#computed)
    this.#table.release()
    this.#reservation.release()
  }
}
