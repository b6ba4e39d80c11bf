import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fitCosts, type IterationSample } from '../../../runtime/policy/fit.ts'
import { iterationMs } from '../../../runtime/policy/mod.ts'
import { profileOf } from '../../../runtime/sim/profiles.ts'

const profile = profileOf('8b')
const sample = (tokens: number, pairs: number, resident: number, sequences: number): IterationSample => ({
  tokens,
  pairs,
  resident,
  sequences,
  ms: iterationMs(profile, tokens, pairs, resident, sequences),
})

describe('fitCosts()', () => {
  test('finds the law that made its samples', () => {
    const samples = [[100, 1e4, 0, 0], [2_000, 4e6, 0, 0], [0, 0, 5_000, 8], [0, 0, 90_000, 64], [
      512,
      3e6,
      20_000,
      200,
    ], [0, 0, 400_000, 20]]
      .map(([a, b, c, d]) => sample(a!, b!, c!, d!))
    const law = fitCosts(samples)
    for (const key of ['baseMs', 'perTokenMs', 'perPairMs', 'perResidentMs', 'perSequenceMs'] as const) {
      expect(law[key] / profile[key], key).toBeCloseTo(1, 6)
    }
  })

  test.each([1e-6, 1, 1e3, 1e6])('finds it in any unit of time: %d', (unit) => {
    const samples = [[16, 256, 0, 0], [64, 64 ** 2, 0, 0], [256, 256 ** 2, 0, 0], [0, 0, 20, 1], [0, 0, 164, 8], [0, 0, 260, 1]]
      .map(([a, b, c, d]) => sample(a!, b!, c!, d!)).map((s) => ({ ...s, ms: s.ms * unit }))
    const law = fitCosts(samples)
    for (const s of samples) expect(iterationMs({ ...profile, ...law }, s.tokens, s.pairs, s.resident, s.sequences) / s.ms).toBeCloseTo(1, 6)
  })

  test('has no negative terms, whatever was measured', () => {
    const law = fitCosts(
      [1, 2, 3, 4, 5, 6].map((n) => ({
        tokens: n,
        pairs: n ** 2,
        resident: (n * 7) % 5,
        sequences: (n * 3) % 4,
        ms: 20 - n,
      })),
    )
    expect(Math.min(...Object.values(law))).toBeGreaterThanOrEqual(0)
  })

  test('one sample that took up to ten times as long as it should does not make the others free', () => {
    const sizes = [[16, 256, 0, 0], [64, 64 ** 2, 0, 0], [256, 256 ** 2, 0, 0], [0, 0, 20, 1], [0, 0, 164, 8], [0, 0, 260, 1]] satisfies [number, number, number, number][]
    const term = (least: number, most: number) => fc.double({ min: least, max: most, noNaN: true })
    const laws = fc.tuple(term(0, 50), term(0.01, 10), term(0, 0.01), term(0, 0.1), term(0.1, 10))
    fc.assert(fc.property(laws, fc.nat({ max: 5 }), term(1, 10), ([base, token, pair, resident, sequence], which, factor) => {
      const time = (row: readonly number[]) => base + token * row[0]! + pair * row[1]! + resident * row[2]! + sequence * row[3]!
      const law = fitCosts(sizes.map((row, i) => {
        const [tokens, pairs, resident, sequences] = row
        return { tokens, pairs, resident, sequences, ms: time(row) * (i === which ? factor : 1) }
      }))
      for (const row of sizes) {
        const found = iterationMs({ ...profile, ...law }, ...row)
        expect(found).toBeGreaterThan(time(row) / 5)
        expect(found).toBeLessThan(time(row) * factor * 5)
      }
    }))
  })

  test('says when the samples cannot tell', () => {
    expect(() => fitCosts([sample(1, 1, 1, 1), sample(1, 1, 1, 1)])).toThrow(/do not tell its terms apart/)
  })
})
