/**
 * Who owns which block of the pool: reference counts, promises of room, and the order in which cached blocks give way.
 * It knows block ids; nothing of tokens, of bytes or of what a block holds.
 * @module
 */
import { VolleyError } from '../errors.ts'

/** Who is told that a cached block is about to be given to somebody else (the prefix index). */
export interface BlockKeeper {
  /** True: the unreferenced block still has a use and waits as *cached* until its room is needed. */
  keeps(block: number): boolean
  /** The block leaves the cache now. */
  dropped(block: number): void
}

const keepsNothing: BlockKeeper = { keeps: () => false, dropped: () => {} }

/**
 * Blocks are *referenced* (count > 0), *cached* (count 0, kept by the keeper) or *empty*; free = cached + empty.
 * Whoever will need blocks takes a {@linkcode Reservation} first: promised blocks are never given to another, so drawing
 * on a reservation cannot fail.
 */
export class BlockAllocator {
  readonly blocks: number
  readonly #refs: Int32Array
  readonly #empty: number[] = []
  /** Insertion order = order of becoming unreferenced: the first is the least recently used. */
  readonly #cached = new Set<number>()
  #promised = 0
  #keeper = keepsNothing

  constructor(blocks: number) {
    this.blocks = blocks
    this.#refs = new Int32Array(blocks)
    for (let block = blocks - 1; block >= 0; block--) this.#empty.push(block)
  }

  /** Hands unreferenced blocks to a keeper's care; at most one, set before the first block is taken. */
  setKeeper(keeper: BlockKeeper): void {
    this.#keeper = keeper
  }

  /** Unreferenced blocks, cached ones included. */
  get free(): number {
    return this.#empty.length + this.#cached.size
  }

  get cached(): number {
    return this.#cached.size
  }

  /** Blocks a new reservation may have now. */
  get available(): number {
    return this.free - this.#promised
  }

  refs(block: number): number {
    return this.#refs[block]!
  }

  /** Promises `count` blocks. Error: `kv_exhausted`. */
  reserve(count: number): Reservation {
    if (count > this.available) {
      throw new VolleyError(
        'kv_exhausted',
        `Cannot reserve ${count} KV blocks as ${this.available} of ${this.blocks} are available`,
        { remedy: 'Try again when a request has ended, send it to another instance, or start with more KV memory.' },
      )
    }
    this.#promised += count
    return new Reservation(this, count, (change) => (this.#promised += change))
  }

  /** A free block, with one reference. Only a reservation calls this: it has seen to it that there is one. */
  take(): number {
    let block = this.#empty.pop()
    if (block === undefined) {
      block = this.#cached.values().next().value
      if (block === undefined) throw new VolleyError('internal', 'The block allocator promised more than it has')
      this.#cached.delete(block)
      this.#keeper.dropped(block)
    }
    this.#refs[block] = 1
    return block
  }

  /** One more reference to a block that somebody refers to already. */
  ref(block: number): void {
    if (this.#refs[block]! === 0) throw new VolleyError('internal', `KV block ${block} belongs to nobody`)
    this.#refs[block]!++
  }

  /** The first reference to a cached block. Only a reservation calls this: it pays with a promise. */
  revive(block: number): void {
    if (!this.#cached.delete(block)) throw new VolleyError('internal', `KV block ${block} is not cached`)
    this.#refs[block] = 1
  }

  /** One reference less; the last one frees the block. */
  unref(block: number): void {
    if (this.#refs[block]! === 0) throw new VolleyError('internal', `KV block ${block} was freed twice`)
    if (--this.#refs[block]! > 0) return
    if (this.#keeper.keeps(block)) this.#cached.add(block)
    else this.#empty.push(block)
  }
}

/** Blocks promised to one owner. Draw with `take()`; give the rest back with `release()`. */
export class Reservation {
  readonly #allocator: BlockAllocator
  readonly #promise: (change: number) => void
  #left: number

  constructor(allocator: BlockAllocator, count: number, promise: (change: number) => void) {
    this.#allocator = allocator
    this.#left = count
    this.#promise = promise
  }

  /** Blocks not drawn yet. */
  get left(): number {
    return this.#left
  }

  /** A fresh block with one reference. */
  take(): number {
    this.#draw()
    return this.#allocator.take()
  }

  /**
   * Refers to a block that exists already in place of drawing one. The promise shrinks by one either way: a cached
   * block uses a free one up, and for a block that others refer to the promise is not needed any more.
   */
  adopt(block: number): void {
    this.#draw()
    if (this.#allocator.refs(block) > 0) this.#allocator.ref(block)
    else this.#allocator.revive(block)
  }

  /** Gives the rest back. May be called again. */
  release(): void {
    this.#promise(-this.#left)
    this.#left = 0
  }

  #draw(): void {
    if (this.#left === 0) throw new VolleyError('internal', 'A sequence outgrew the KV blocks reserved for it')
    this.#left--
    this.#promise(-1)
  }
}
