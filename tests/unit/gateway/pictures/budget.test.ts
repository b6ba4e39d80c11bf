import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteBudget } from '../../../../actors/gateway/pictures/budget.ts'

const MIB = 1 << 20

test('ByteBudget refuses what is too much for all together', () => {
  const budget = new ByteBudget(4 * MIB)
  const [a, b] = [budget.hold(), budget.hold()]
  a.add(4 * MIB)
  expect(() => b.add(2 * MIB + 1)).toThrow(expect.objectContaining({ code: 'overloaded' }))
  b.add(2 * MIB)
  expect(budget.counted).toBe(4 * MIB)
  a.shrink(MIB / 2)
  b.add(3 * MIB)
  expect(() => b.add(1)).toThrow(/held/)
})

test('ByteBudget refuses nobody a first mebibyte', () => {
  const budget = new ByteBudget(1)
  const full = budget.hold()
  full.add(MIB + 1)
  for (let i = 0; i < 100; i++) budget.hold().add(MIB)
  expect(budget.counted).toBe(1)
})

test('a hold that was released counts nothing, whatever comes late', () => {
  const budget = new ByteBudget(4 * MIB)
  const hold = budget.hold()
  hold.add(3 * MIB)
  hold.release()
  hold.release()
  hold.add(100 * MIB)
  hold.shrink(1)
  expect(budget.counted).toBe(0)
})

test('ByteBudget never counts more than its limit, and ends at nothing', () => {
  const step = fc.record({ who: fc.nat(3), what: fc.constantFrom('add', 'shrink'), bytes: fc.nat(3 * MIB) })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const budget = new ByteBudget(5 * MIB)
    const holds = Array.from({ length: 4 }, () => budget.hold())
    for (const { who, what, bytes } of steps) {
      try {
        holds[who]![what as 'add' | 'shrink'](bytes)
      } catch (error) {
        expect(error).toMatchObject({ code: 'overloaded' })
      }
      expect(budget.counted).toBeGreaterThanOrEqual(0)
      expect(budget.counted).toBeLessThanOrEqual(5 * MIB)
    }
    for (const hold of holds) hold.release()
    expect(budget.counted).toBe(0)
  }))
})
