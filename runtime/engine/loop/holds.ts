/**
 * Prompts in rest: their KV under a name until it is released.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { BlockChain } from '../../kv/prefix.ts'
import type { BlockTable } from '../../kv/table.ts'

/** One prompt's KV; owns the references of its table. */
export class Hold {
  readonly name: string
  readonly tokens: readonly number[]
  readonly table: BlockTable
  readonly chain: BlockChain

  constructor(name: string, tokens: readonly number[], table: BlockTable, chain: BlockChain) {
    this.name = name
    this.tokens = tokens
    this.table = table
    this.chain = chain
  }
}

export class Holds {
  readonly #holds = new Map<string, Hold>()

  get size(): number {
    return this.#holds.size
  }

  get(name: string): Hold | undefined {
    return this.#holds.get(name)
  }

  /** Error: `kv_lost`. */
  need(name: string): Hold {
    const hold = this.#holds.get(name)
    if (hold) return hold
    throw new VolleyError('kv_lost', `There is no hold "${name}" here`, {
      remedy: 'Pull its KV again from where it was computed, or prefill the prompt once more.',
    })
  }

  /** Keeps a hold; an older one of that name (an earlier attempt's) is released. */
  put(hold: Hold): void {
    this.release(hold.name)
    this.#holds.set(hold.name, hold)
  }

  release(name: string): void {
    this.#holds.get(name)?.table.release()
    this.#holds.delete(name)
  }
}
