import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BlockAllocator, type Reservation } from '../../../runtime/kv/allocator.ts'

test('take() cannot fail while a reservation lasts, and others cannot take what is promised', () => {
  const allocator = new BlockAllocator(4)
  const promise = allocator.reserve(3)
  expect([allocator.free, allocator.available]).toEqual([4, 1])
  expect(() => allocator.reserve(2)).toThrow(expect.objectContaining({ code: 'kv_exhausted' }))
  expect(new Set([promise.take(), promise.take(), promise.take()]).size).toBe(3)
  expect([allocator.free, allocator.available, promise.left]).toEqual([1, 1, 0])
  expect(() => promise.take()).toThrow(expect.objectContaining({ code: 'internal' }))
})

test('unref() frees with the last reference; freeing twice is an error', () => {
  const allocator = new BlockAllocator(2)
  const block = allocator.reserve(1).take()
  allocator.ref(block)
  allocator.unref(block)
  expect(allocator.free).toBe(1)
  allocator.unref(block)
  expect(allocator.free).toBe(2)
  expect(() => allocator.unref(block)).toThrow(/twice/)
  expect(() => allocator.ref(block)).toThrow(/belongs to nobody/)
})

test('cached blocks are free, go last, and the least recently used of them first', () => {
  const allocator = new BlockAllocator(4)
  const dropped: number[] = []
  allocator.setKeeper({ keeps: (block) => block < 3, dropped: (block) => dropped.push(block) })
  const [a, b, c] = [0, 0, 0].map(() => allocator.reserve(1).take())
  for (const block of [b!, a!, c!]) allocator.unref(block)
  expect([allocator.free, allocator.cached]).toEqual([4, 3])
  allocator.reserve(1).adopt(b!)
  allocator.unref(b!)
  const rest = allocator.reserve(4)
  expect([rest.take(), rest.take(), rest.take(), rest.take()]).toEqual([3, a, c, b])
  expect(dropped).toEqual([a, c, b])
})

test('whatever is done, counts agree with a plain model and all blocks come back', () => {
  const op = fc.record({ kind: fc.constantFrom('reserve', 'take', 'ref', 'unref', 'adopt', 'release'), n: fc.nat(30) })
  fc.assert(fc.property(fc.array(op, { maxLength: 300 }), fc.integer({ min: 1, max: 12 }), (ops, blocks) => {
    const allocator = new BlockAllocator(blocks)
    const cached = new Set<number>()
    allocator.setKeeper({
      keeps: (block) => block % 2 === 0 && !!cached.add(block),
      dropped: (block) => expect(cached.delete(block)).toBe(true),
    })
    const promises: Reservation[] = []
    const refs: number[] = []
    const pick = <T>(list: T[], n: number): T | undefined => list[n % Math.max(1, list.length)]
    for (const { kind, n } of ops) {
      const promised = promises.reduce((sum, { left }) => sum + left, 0)
      const used = new Set(refs).size
      expect([allocator.free, allocator.available]).toEqual([blocks - used, blocks - used - promised])
      expect(allocator.cached).toBe(cached.size)
      expect(allocator.available).toBeGreaterThanOrEqual(0)
      const promise = pick(promises.filter(({ left }) => left > 0), n)
      const block = pick(refs, n)
      if (kind === 'reserve') {
        if (n <= blocks - used - promised) promises.push(allocator.reserve(n))
        else expect(() => allocator.reserve(n)).toThrow(expect.objectContaining({ code: 'kv_exhausted' }))
      } else if (kind === 'take' && promise) {
        const fresh = promise.take()
        expect(refs).not.toContain(fresh)
        refs.push(fresh)
      } else if (kind === 'ref' && block !== undefined) {
        allocator.ref(block)
        refs.push(block)
      } else if (kind === 'unref' && block !== undefined) {
        allocator.unref(block)
        refs.splice(refs.indexOf(block), 1)
      } else if (kind === 'adopt' && promise) {
        const old = pick([...cached, ...refs], n)
        if (old === undefined) continue
        promise.adopt(old)
        cached.delete(old)
        refs.push(old)
      } else if (kind === 'release') {
        pick(promises, n)?.release()
      }
    }
    for (const promise of promises) promise.release()
    for (const block of refs) allocator.unref(block)
    expect([allocator.free, allocator.available]).toEqual([blocks, blocks])
  }))
})
