/**
 * Which whole blocks of earlier sequences are still in the pool, by what they hold: the prefix cache. It knows token
 * ids and block ids; nothing of bytes or requests.
 *
 * A block's name is a chain hash (128 bits of SHA-256 over the name before it, its own tokens and what is given in their
 * stead; the first link is the numerics id), so that equal names mean equal KV: same content, same content before, same
 * arithmetic.
 * @module
 */
import { createHash } from 'node:crypto'
import type { BlockAllocator, BlockKeeper } from './allocator.ts'

/** The link before a sequence's first block. */
export const chainRoot = (numerics: string): string => createHash('sha256').update(numerics).digest('hex').slice(0, 32)

/** Places of a sequence whose tokens say nothing of what was computed there: `name` does. */
export interface ChainMark {
  start: number
  tokens: number
  name: string
}

/** Names of a token sequence's whole blocks, in order; grows with the sequence. */
export class BlockChain {
  /** In order of `start`. */
  readonly marks: readonly ChainMark[]
  readonly #root: string
  readonly #blockTokens: number
  readonly #names: string[] = []

  constructor(root: string, blockTokens: number, marks: readonly ChainMark[] = []) {
    this.#root = root
    this.#blockTokens = blockTokens
    this.marks = marks
  }

  /** The chain of a sequence that begins with this one's blocks. */
  fork(): BlockChain {
    const fork = new BlockChain(this.#root, this.#blockTokens, this.marks)
    fork.#names.push(...this.#names)
    return fork
  }

  /** Names of the first `count` blocks of `tokens`; those named before are not hashed again. */
  names(tokens: readonly number[], count: number): readonly string[] {
    const size = this.#blockTokens
    for (let i = this.#names.length; i < count; i++) {
      const ids = Int32Array.from(tokens.slice(i * size, (i + 1) * size))
      const hash = createHash('sha256').update(this.#names[i - 1] ?? this.#root, 'hex').update(ids)
      // The ids before it are of one length, so nothing else reads the same.
      const given = this.#givenIn(i * size, (i + 1) * size)
      if (given.length > 0) hash.update(JSON.stringify(given))
      this.#names.push(hash.digest('hex').slice(0, 32))
    }
    return this.#names
  }

  /** Stretches of positions from .. to - 1 under marks: where, how long, whose, and from which of its tokens on. */
  #givenIn(from: number, to: number): [at: number, tokens: number, name: string, first: number][] {
    return this.marks.flatMap(({ start, tokens, name }) => {
      const first = Math.max(start, from)
      const end = Math.min(start + tokens, to)
      return first < end ? [[first - from, end - first, name, first - start]] : []
    })
  }
}

export class PrefixIndex implements BlockKeeper {
  readonly #blocks = new Map<string, number>()
  /** Name of each indexed block. */
  readonly #names = new Map<number, string>()

  constructor(allocator: BlockAllocator) {
    allocator.setKeeper(this)
  }

  /** Blocks that hold the longest known run of `names`, in order. No references are taken. */
  find(names: readonly string[], most: number): number[] {
    const found: number[] = []
    for (let i = 0; i < most; i++) {
      const block = this.#blocks.get(names[i]!)
      if (block === undefined) break
      found.push(block)
    }
    return found
  }

  /** Makes a finished block findable. Where an equal one is known already, that one stays. */
  add(name: string, block: number): void {
    if (this.#blocks.has(name) || this.#names.has(block)) return
    this.#blocks.set(name, block)
    this.#names.set(block, name)
  }

  keeps(block: number): boolean {
    return this.#names.has(block)
  }

  dropped(block: number): void {
    const name = this.#names.get(block)
    if (name === undefined) return
    this.#names.delete(block)
    this.#blocks.delete(name)
  }
}
