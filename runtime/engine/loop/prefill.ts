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
import { Given } from './given.ts'
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
  /** Length of a given vector. */
  hiddenSize: number
  /** Vectors that it may have waited for are here. */
  onArrival(): void
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
  readonly #given: Given
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
    this.#chain = cache.chain(job.given?.map(({ start, tokens, name }) => ({ start, tokens, name })))
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
    this.#given = new Given(job.given ?? [], {
      hiddenSize: options.hiddenSize,
      onArrival: () => options.onArrival(),
      onLoss: (end, error) => this.#lose(end, error),
    })
  }

  /** Prompt tokens still to compute. */
  get left(): number {
    return this.job.tokens.length - this.#computed
  }

  /** True: the next chunk has to wait for vectors. */
  get stuck(): boolean {
    return this.#endOf(1) === this.#computed
  }

  /** `undefined` = stuck. */
  next(most: number): Chunk | undefined {
    this.#look()
    const start = this.#computed
    const end = this.#endOf(most)
    if (end === start) return undefined
    this.#started = true
    this.#taken = end - start
    this.#table.prepare(start, end, this.#reservation)
    const tokens = this.job.tokens.slice(start, end)
    const given = this.#given.rows(start, end)
    const logits = end === this.job.tokens.length ? 'last' : 'none'
    return { tokens, start, table: this.#table.blocks, logits, ...(given.length > 0 && { given }) }
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

  /**
   * Where a chunk of at most `most` tokens ends. It stops before vectors that are not here; on a grid it waits for them,
   * so that no bit depends on when they come.
   */
  #endOf(most: number): number {
    const { gridTokens } = this.#options
    const start = this.#computed
    const room = gridTokens === undefined ? most : gridTokens - (start % gridTokens)
    const end = start + Math.min(this.left, room)
    const reach = this.#given.reach(start)
    return end <= reach ? end : gridTokens === undefined ? reach : start
  }

  /** Others may have computed more of the same prefix since this prompt came. */
  #look(): void {
    if (!this.#started) this.#adoptFound(this.#options.cache.lookUp(this.job.tokens, this.#chain))
  }

  /** Vectors of positions below `end` will not come. */
  #lose(end: number, error: unknown): void {
    if (this.over) return
    this.#look()
    if (end > this.#computed) this.fail(error)
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
