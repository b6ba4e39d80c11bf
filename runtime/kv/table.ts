/**
 * The blocks of one sequence in order, with the references it holds on them. Knows sharing and copy on write; nothing
 * of tokens or of who runs when.
 * @module
 */
import type { BlockAllocator, Reservation } from './allocator.ts'
import type { KvPool } from './pool.ts'

export class BlockTable {
  readonly #allocator: BlockAllocator
  readonly #pool: KvPool
  readonly #blocks: number[] = []

  constructor(allocator: BlockAllocator, pool: KvPool) {
    this.#allocator = allocator
    this.#pool = pool
  }

  /** Pool block ids; what a Chunk's `table` wants. */
  get blocks(): readonly number[] {
    return this.#blocks
  }

  /** A second sequence over the same blocks: one more reference on each. */
  fork(): BlockTable {
    const fork = new BlockTable(this.#allocator, this.#pool)
    for (const block of this.#blocks) {
      this.#allocator.ref(block)
      fork.#blocks.push(block)
    }
    return fork
  }

  /** Appends blocks that others refer to. */
  share(blocks: readonly number[]): void {
    for (const block of blocks) {
      this.#allocator.ref(block)
      this.#blocks.push(block)
    }
  }

  /** Appends existing blocks, cached or referenced, each paid with one of the reservation's. */
  adopt(blocks: readonly number[], reservation: Reservation): void {
    for (const block of blocks) {
      reservation.adopt(block)
      this.#blocks.push(block)
    }
  }

  /**
   * Makes positions `start` .. `end - 1` writable: grows by fresh blocks, and copies a block there that others refer
   * to as well (only a partly filled last one can be). Draws on `reservation`.
   */
  prepare(start: number, end: number, reservation: Reservation): void {
    const { blockTokens } = this.#pool.shape
    const first = Math.floor(start / blockTokens)
    for (let i = first; i * blockTokens < end; i++) {
      const block = this.#blocks[i]
      if (block === undefined) {
        this.#blocks.push(reservation.take())
      } else if (this.#allocator.refs(block) > 1) {
        const copy = reservation.take()
        this.#pool.block(copy).set(this.#pool.block(block))
        this.#allocator.unref(block)
        this.#blocks[i] = copy
      }
    }
  }

  /** Drops all references, last block first, so that the cache gives up a sequence's tail before its head. */
  release(): void {
    for (let block = this.#blocks.pop(); block !== undefined; block = this.#blocks.pop()) this.#allocator.unref(block)
  }
}
