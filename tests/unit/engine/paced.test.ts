import { describe, expect, test } from 'vitest'
import type { Chunk, Forward } from '../../../runtime/engine/forward.ts'
import { type Pace, paced, stepMs } from '../../../runtime/engine/paced.ts'
import type { KvPool } from '../../../runtime/kv/pool.ts'
import { iterationMs, prefillMs } from '../../../runtime/policy/mod.ts'
import { profileOf } from '../../../runtime/sim/profiles.ts'

const pace: Pace = { baseMs: 40, perTokenMs: 0.5, perPairMs: 1e-3, perResidentMs: 0.01, perSequenceMs: 2 }
const chunk = (length: number, start = 0, generated = false): Chunk => ({
  tokens: Array.from({ length }, () => 1), start, table: [], logits: 'last', ...(generated && { generated }),
})
const logits = [new Float32Array([1, 2, 3])]
const forward = (ms: number): Forward => ({
  config: {} as Forward['config'], backend: 'b', numerics: 'n', batchInvariant: true,
  run: () => new Promise((resolve) => setTimeout(() => resolve(logits), ms)),
  memory: () => ({ bytes: 1, tensors: 2 }),
  dispose: () => undefined,
})

describe('stepMs()', () => {
  test('is the law of the cost profiles', () => {
    const { kernels: _, ...law } = profileOf('l30b')
    expect(stepMs(law, [chunk(256)])).toBeCloseTo(prefillMs(law, 256), 9)
    expect(stepMs(law, [chunk(100, 256)])).toBeCloseTo(prefillMs(law, 100, 256), 9)
    const mixed = [chunk(64), chunk(1, 99, true), chunk(1, 199, true)]
    expect(stepMs(law, mixed)).toBeCloseTo(iterationMs(law, 64, 64 * 64, 300, 2), 9)
  })

  test('takes a replay for a prompt', () => {
    expect(stepMs(pace, [chunk(10, 5, true)])).toBeCloseTo(stepMs(pace, [chunk(10, 5)]), 9)
  })
})

test('paced() gives the same bits, not before their time, and tells what came late', async () => {
  const quick = paced(forward(1), pace)
  const startedMs = performance.now()
  expect(await quick.run([chunk(1, 0, true)], {} as KvPool)).toBe(logits)
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(stepMs(pace, [chunk(1, 0, true)]) - 2)
  expect(quick.numerics).toBe('n')
  const slow = paced(forward(20), { ...pace, baseMs: 0, perSequenceMs: 0 })
  await slow.run([chunk(1, 0, true)], {} as KvPool)
  expect(slow.pace!()).toMatchObject({ steps: 1, late: 1 })
  expect(slow.pace!().lateMs).toBeGreaterThan(0)
})
