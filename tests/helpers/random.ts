/**
 * Seeded random choices, so that what a generator made once it makes again.
 * @module
 */

export interface Random {
  /** An integer, 0 <= x < n. */
  below(n: number): number
  pick<T>(items: readonly T[]): T
  bytes(n: number): Buffer
}

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const below = (n: number) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * n)
  }
  return {
    below,
    pick: (items) => items[below(items.length)]!,
    bytes: (n) => Buffer.from(Array.from({ length: n }, () => below(256))),
  }
}
