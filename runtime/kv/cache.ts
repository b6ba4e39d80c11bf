/**
 * The paged cache as its users see it: pool, allocator and prefix index under one rule of what may be reused. It knows
 * token ids and numerics; nothing of requests.
 * @module
 */
import { BlockAllocator } from './allocator.ts'
import type { KvPool } from './pool.ts'
import { BlockChain, type ChainMark, chainRoot, PrefixIndex } from './prefix.ts'
import { BlockTable } from './table.ts'

export interface KvCacheOptions {
  /** Names the arithmetic that fills the blocks; part of every block's name. */
  numerics: string
  /**
   * Tokens of a chunk on the grid fixed from position 0, a multiple of the block. Where bits depend on how a prompt was
   * cut, only whole chunks are remembered and reused. `undefined` = they do not: any whole block may be.
   */
  gridTokens: number | undefined
}

export class KvCache {
  readonly pool: KvPool
  readonly allocator: BlockAllocator
  readonly #prefix: PrefixIndex
  readonly #root: string
  /** Reuse happens in units of so many tokens. */
  readonly #unit: number

  constructor(pool: KvPool, options: KvCacheOptions) {
    this.pool = pool
    this.allocator = new BlockAllocator(pool.blocks)
    this.#prefix = new PrefixIndex(this.allocator)
    this.#root = chainRoot(options.numerics)
    this.#unit = options.gridTokens ?? pool.shape.blockTokens
  }

  /** Blocks that hold so many tokens. */
  blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.pool.shape.blockTokens)
  }

  /** An empty sequence. */
  table(): BlockTable {
    return new BlockTable(this.allocator, this.pool)
  }

  /** Names for a sequence's blocks. */
  chain(marks: readonly ChainMark[] = []): BlockChain {
    return new BlockChain(this.#root, this.pool.shape.blockTokens, marks)
  }

  /**
   * Blocks in the pool that begin `prompt`, in whole reuse units. Its last token is never among them: its logits are
   * wanted, so it has to be computed.
   */
  lookUp(prompt: readonly number[], chain: BlockChain): number[] {
    const most = this.#wholeUnits(prompt.length - 1)
    const found = this.#prefix.find(chain.names(prompt, most), most)
    found.length = this.#wholeUnits(found.length * this.pool.shape.blockTokens)
    return found
  }

  /** Makes the whole reuse units among the first `computed` tokens findable. */
  remember(tokens: readonly number[], chain: BlockChain, table: BlockTable, computed: number): void {
    const count = this.#wholeUnits(computed)
    const names = chain.names(tokens, count)
    for (let i = 0; i < count; i++) this.#prefix.add(names[i]!, table.blocks[i]!)
  }

  /** Blocks in the whole reuse units of so many tokens. */
  #wholeUnits(tokens: number): number {
    return (Math.floor(tokens / this.#unit) * this.#unit) / this.pool.shape.blockTokens
  }
}
