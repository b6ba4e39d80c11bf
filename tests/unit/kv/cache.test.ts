import { describe, expect, test } from 'vitest'
import { KvCache } from '../../../runtime/kv/cache.ts'
import { KvPool } from '../../../runtime/kv/pool.ts'

const shape = { layers: 1, kvDim: 2, blockTokens: 4 }
const tokens = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i)
const cacheOf = (blocks = 8, gridTokens?: number, numerics = 'n') =>
  new KvCache(new KvPool(shape, blocks), { numerics, gridTokens })

/** A sequence computed and ended: its blocks stay behind in the prefix cache. */
function leave(cache: KvCache, ids: number[]): number[] {
  const table = cache.table()
  const reservation = cache.allocator.reserve(cache.blocksFor(ids.length))
  table.prepare(0, ids.length, reservation)
  cache.remember(ids, cache.chain(), table, ids.length)
  const blocks = [...table.blocks]
  table.release()
  reservation.release()
  return blocks
}

describe('BlockTable', () => {
  test('prepare() copies a partial block that others share, once, and leaves theirs alone', () => {
    const cache = cacheOf()
    const reservation = cache.allocator.reserve(4)
    const table = cache.table()
    table.prepare(0, 6, reservation)
    cache.pool.block(table.blocks[1]!).fill(7)
    const fork = table.fork()
    fork.prepare(6, 7, reservation)
    expect(fork.blocks[0]).toBe(table.blocks[0])
    expect(fork.blocks[1]).not.toBe(table.blocks[1])
    expect([...cache.pool.block(fork.blocks[1]!)]).toEqual([...cache.pool.block(table.blocks[1]!)])
    const copy = fork.blocks[1]
    fork.prepare(7, 9, reservation)
    expect([fork.blocks[1], fork.blocks.length, reservation.left]).toEqual([copy, 3, 0])
    table.release()
    fork.release()
    expect(cache.allocator.free).toBe(8)
  })

  test('the last sharer writes in place', () => {
    const cache = cacheOf()
    const reservation = cache.allocator.reserve(3)
    const table = cache.table()
    table.prepare(0, 6, reservation)
    const fork = table.fork()
    table.release()
    const before = [...fork.blocks]
    fork.prepare(6, 8, reservation)
    expect([fork.blocks, reservation.left]).toEqual([before, 1])
  })
})

describe('lookUp()', () => {
  test('finds the longest run of whole blocks, never with the last token', () => {
    const cache = cacheOf()
    const blocks = leave(cache, tokens(14))
    expect(cache.lookUp(tokens(14), cache.chain())).toEqual(blocks.slice(0, 3))
    expect(cache.lookUp(tokens(13), cache.chain())).toEqual(blocks.slice(0, 3))
    expect(cache.lookUp(tokens(12), cache.chain())).toEqual(blocks.slice(0, 2))
    expect(cache.lookUp(tokens(4), cache.chain())).toEqual([])
    expect(cache.lookUp([...tokens(5), 99, ...tokens(9)], cache.chain())).toEqual(blocks.slice(0, 1))
    expect(cache.lookUp(tokens(14, 1), cache.chain())).toEqual([])
  })

  test('an equal block after other tokens is another block', () => {
    const cache = cacheOf()
    leave(cache, [...tokens(4), ...tokens(4, 50), 1])
    expect(cache.lookUp([...tokens(4, 50), 1], cache.chain())).toEqual([])
  })

  test('other numerics have other names', () => {
    const names = (numerics: string) => cacheOf(8, undefined, numerics).chain().names(tokens(4), 1)[0]
    expect(names('a')).not.toBe(names('b'))
    expect(names('a')).toMatch(/^[0-9a-f]{32}$/)
  })

  test('on a grid only whole chunks are remembered and reused', () => {
    const cache = cacheOf(8, 8)
    leave(cache, tokens(14))
    expect(cache.allocator.cached).toBe(2)
    expect(cache.lookUp(tokens(14), cache.chain())).toHaveLength(2)
    expect(cache.lookUp(tokens(8), cache.chain())).toEqual([])
  })

  test('a sequence’s tail gives way before its head', () => {
    const cache = cacheOf(4)
    const blocks = leave(cache, tokens(16))
    const reservation = cache.allocator.reserve(2)
    expect([reservation.take(), reservation.take()]).toEqual([blocks[3], blocks[2]])
    expect(cache.lookUp(tokens(16), cache.chain())).toEqual(blocks.slice(0, 2))
  })

  test('of two equal sequences the first is kept, and nothing is lost when it goes', () => {
    const cache = cacheOf()
    const first = leave(cache, tokens(9))
    const reservation = cache.allocator.reserve(3)
    const table = cache.table()
    table.prepare(0, 9, reservation)
    cache.remember(tokens(9), cache.chain(), table, 9)
    expect(cache.lookUp(tokens(9), cache.chain())).toEqual(first.slice(0, 2))
    table.release()
    expect([cache.allocator.free, cache.allocator.cached]).toEqual([8, 2])
  })

  test('a chain’s fork goes its own way', () => {
    const chain = cacheOf().chain()
    chain.names(tokens(8), 2)
    const fork = chain.fork()
    expect(fork.names([...tokens(8), ...tokens(4, 70)], 3)[1]).toBe(chain.names(tokens(8), 2)[1])
    expect(fork.names([], 3)[2]).not.toBe(chain.names(tokens(12), 3)[2])
  })

  describe('names of blocks under marks', () => {
    const names = (...marks: [start: number, tokens: number, name: string][]) => [
      ...cacheOf().chain(marks.map(([start, tokens, name]) => ({ start, tokens, name }))).names(tokens(16), 4),
    ]
    const plain = names()
    const common = (a: string[], b: string[]) => a.findIndex((name, i) => name !== b[i])

    test('are those of tokens alone up to the first mark, and others from there on', () => {
      expect(common(names([6, 3, 'a']), plain)).toBe(1)
      expect(names([16, 3, 'a'])).toEqual(plain)
      expect(names([6, 3, 'a'])).toEqual(names([6, 3, 'a']))
    })

    test('tell names, places, lengths and offsets apart', () => {
      const all = [
        plain, names([6, 3, 'a']), names([6, 3, 'b']), names([5, 3, 'a']), names([6, 2, 'a']), names([6, 4, 'a']),
        names([6, 2, 'a'], [8, 2, 'a']), names([6, 8, 'a']), names([6, 2, 'a'], [8, 6, 'a']), names([6, 1, 'a'], [7, 1, 'a']),
        names([8, 2, 'a']), names([9, 2, 'a']), names([10, 2, 'a']),
      ]
      for (const [i, own] of all.entries()) {
        for (const other of all.slice(0, i)) expect(own[3]).not.toBe(other[3])
      }
    })

    test('stay so in a fork', () => {
      const chain = cacheOf().chain([{ start: 5, tokens: 2, name: 'a' }])
      chain.names(tokens(4), 1)
      expect(chain.fork().names(tokens(16), 4)).toEqual(names([5, 2, 'a']))
    })
  })
})
