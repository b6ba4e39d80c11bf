import { expect, test } from 'vitest'
import { offersOf } from '../../../bench/phase-shift.ts'

const options = { seed: 3, instances: 4, phaseMs: 100_000, cycles: 2, rate: 1 }

test('the same seed offers the same requests, another seed others', () => {
  expect(offersOf(options)).toEqual(offersOf(options))
  expect(offersOf({ ...options, seed: 4 })).not.toEqual(offersOf(options))
})

test('phases take turns, prompts first, each at its rate', () => {
  const offers = offersOf(options)
  for (const [i, { atMs, phase, prompt }] of offers.entries()) {
    expect(phase).toBe(Math.floor(atMs / options.phaseMs) % 2 === 0 ? 'prefill' : 'decode')
    expect(prompt.length).toBe(phase === 'prefill' ? 440 : 16)
    if (i > 0) expect(atMs).toBeGreaterThan(offers[i - 1]!.atMs)
  }
  const perSecond = (phase: string) => offers.filter((o) => o.phase === phase).length / 200
  expect(perSecond('prefill') / (0.8 * 3 * 3.6)).toBeCloseTo(1, 0)
  expect(perSecond('decode') / (0.8 * 3 * 3.05)).toBeCloseTo(1, 0)
})
