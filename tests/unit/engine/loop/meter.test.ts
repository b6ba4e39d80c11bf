import { expect, test } from 'vitest'
import { Meter } from '../../../../runtime/engine/loop/meter.ts'

test('stepMs is the mean of the last 32 steps that had decodes in them', () => {
  const meter = new Meter()
  expect(meter.stepMs).toBe(0)
  meter.step(1000, 256, 0)
  expect(meter.stepMs).toBe(0)
  for (let i = 0; i < 40; i++) meter.step(i < 8 ? 500 : 10, 0, 4)
  expect(meter.stepMs).toBe(10)
  expect(meter.prefillTokens).toBe(256)
})

test('tokensIn() learns from steps that had enough prompt tokens and nothing else in them', () => {
  const meter = new Meter()
  meter.step(50, 5, 0)
  meter.step(50, 64, 1)
  expect(meter.tokensIn(100)).toBeUndefined()
  meter.step(128, 64, 0)
  expect(meter.tokensIn(100)).toBe(50)
  for (let i = 0; i < 50; i++) meter.step(64, 64, 0)
  expect(meter.tokensIn(100)).toBe(99)
})
