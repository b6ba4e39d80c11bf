import { describe, expect, test } from 'vitest'
import { type MakeVectors, TileCache } from '../../../../actors/encode/cache.ts'
import { settled } from '../../../helpers/virtual-clock.ts'

/** Vectors of 8 bytes. */
const vectors = (...values: number[]): Float32Array => Float32Array.from(values)

/** Makers whose work is ended by hand. */
function maker() {
  const asked: { which: readonly number[]; signal: AbortSignal; end(made: Float32Array[]): void; fail(error: Error): void }[] = []
  const make: MakeVectors = (which, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<Float32Array[]>()
    signal.addEventListener('abort', () => reject(new Error('given up')), { once: true })
    asked.push({ which: [...which], signal, end: resolve, fail: reject })
    return promise
  }
  return { asked, make }
}

const never = new AbortController().signal

describe('TileCache', () => {
  test('makes what is missing, in one piece, and nothing that is there', async () => {
    const cache = new TileCache(1_000)
    const { asked, make } = maker()
    const first = cache.take(['a', 'b'], make, never)
    expect(asked.map(({ which }) => which)).toEqual([[0, 1]])
    asked[0]!.end([vectors(1, 1), vectors(2, 2)])
    expect(await first).toEqual([vectors(1, 1), vectors(2, 2)])
    expect(cache.count(['a', 'b', 'c'])).toBe(2)
    const second = cache.take(['b', 'c', 'a'], make, never)
    expect(asked[1]!.which).toEqual([1])
    asked[1]!.end([vectors(3, 3)])
    expect(await second).toEqual([vectors(2, 2), vectors(3, 3), vectors(1, 1)])
    expect(cache.bytes).toBe(24)
  })

  test('what two want at once is made once', async () => {
    const cache = new TileCache(1_000)
    const { asked, make } = maker()
    const both = [cache.take(['a', 'b'], make, never), cache.take(['b', 'c'], make, never)]
    expect(asked.map(({ which }) => which)).toEqual([[0, 1], [1]])
    expect(cache.count(['a', 'b', 'c', 'd'])).toBe(3)
    asked[1]!.end([vectors(3, 3)])
    asked[0]!.end([vectors(1, 1), vectors(2, 2)])
    expect(await Promise.all(both)).toEqual([[vectors(1, 1), vectors(2, 2)], [vectors(2, 2), vectors(3, 3)]])
  })

  test('what was given up and made all the same counts once', async () => {
    const cache = new TileCache(1_000)
    const ends: (() => void)[] = []
    const deaf: MakeVectors = () => new Promise((resolve) => ends.push(() => resolve([vectors(1, 1)])))
    const gone = AbortSignal.abort()
    await expect(cache.take(['a'], deaf, gone)).rejects.toMatchObject({ code: 'cancelled' })
    const second = cache.take(['a'], deaf, never)
    for (const end of ends) end()
    expect(await second).toEqual([vectors(1, 1)])
    expect([ends.length, cache.bytes]).toEqual([2, 8])
  })

  test('the work ends when nobody waits any more, and not before', async () => {
    const cache = new TileCache(1_000)
    const { asked, make } = maker()
    const [one, other] = [new AbortController(), new AbortController()]
    const failures = [cache.take(['a'], make, one.signal), cache.take(['a'], make, other.signal)].map((p) => p.catch((e: { code?: string }) => e.code))
    one.abort()
    expect(await failures[0]).toBe('cancelled')
    expect(asked[0]!.signal.aborted).toBe(false)
    other.abort()
    expect(await failures[1]).toBe('cancelled')
    expect(asked[0]!.signal.aborted).toBe(true)
    expect(cache.count(['a'])).toBe(0)
    // Who comes later begins anew.
    const later = cache.take(['a'], make, never)
    asked[1]!.end([vectors(1, 1)])
    expect(await later).toEqual([vectors(1, 1)])
  })

  test("another's failure is not mine: I make it myself, once", async () => {
    const cache = new TileCache(1_000)
    const { asked, make } = maker()
    const theirs = cache.take(['a', 'b'], make, never).catch((e: Error) => e.message)
    const mine = cache.take(['b'], make, never)
    asked[0]!.fail(new Error('its file is gone'))
    expect(await theirs).toBe('its file is gone')
    await settled()
    expect(asked.map(({ which }) => which)).toEqual([[0, 1], [0]])
    asked[1]!.end([vectors(2, 2)])
    expect(await mine).toEqual([vectors(2, 2)])
    const last = cache.take(['z'], make, never).catch((e: Error) => e.message)
    asked[2]!.fail(new Error('damaged'))
    expect(await last).toBe('damaged')
    expect(asked).toHaveLength(3)
  })

  test('keeps so many bytes, the least lately used given up first', async () => {
    const cache = new TileCache(16)
    const make: MakeVectors = (which) => Promise.resolve(which.map((at) => vectors(at, at)))
    await cache.take(['a'], make, never)
    await cache.take(['b'], make, never)
    await cache.take(['a'], make, never)
    await cache.take(['c'], make, never)
    expect(['a', 'b', 'c'].map((name) => cache.count([name]))).toEqual([1, 0, 1])
    expect(cache.bytes).toBe(16)
    // Too large to be kept at all: it is handed on, and drives nothing out.
    const large: MakeVectors = () => Promise.resolve([vectors(1, 2, 3, 4, 5)])
    expect(await cache.take(['d'], large, never)).toEqual([vectors(1, 2, 3, 4, 5)])
    expect(['a', 'c', 'd'].map((name) => cache.count([name]))).toEqual([1, 1, 0])
  })
})
