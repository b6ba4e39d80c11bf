import { expect, test } from 'vitest'
import { fitPrefill } from '../../../actors/instance/profile.ts'

test('fitPrefill() finds the law that made the times', () => {
  const law = (n: number) => ({ n, ms: 3 + 0.5 * n + 0.002 * n * n })
  const { base, perToken, perPair } = fitPrefill([law(16), law(64), law(256)])
  expect([base, perToken, perPair].map((v) => Number(v.toFixed(6)))).toEqual([3, 0.5, 0.002])
})

test('fitPrefill() makes nothing negative of times that fall', () => {
  const fit = fitPrefill([{ n: 16, ms: 9 }, { n: 64, ms: 5 }, { n: 256, ms: 30 }])
  expect(Math.min(fit.base, fit.perToken, fit.perPair)).toBeGreaterThanOrEqual(0)
  expect(fitPrefill([{ n: 16, ms: 8 }])).toEqual({ base: 0, perToken: 0.5, perPair: 0 })
})
