import { expect, test } from 'vitest'
import { policyOf } from '../../runtime/policy/mod.ts'
import { FAULTS, type FaultRun, faultRun } from '../helpers/fault-run.ts'

/** Runs one fault at every operation there is; answers all violations. */
async function everywhere(base: Omit<FaultRun, 'at'>): Promise<{ runs: number; violations: string[] }> {
  const violations: string[] = []
  let at = 1
  for (; ; at++) {
    const { operations, violations: found, struck, state } = await faultRun({ ...base, at })
    for (const v of found) violations.push(`${base.fault} at ${at} (${struck?.client} ${struck?.kind} ${struck?.subject}) -> ${state}: ${v}`)
    if (operations < at || at > 400 || violations.length > 20) break
  }
  return { runs: at, violations }
}

for (const fault of FAULTS) {
  test(`search: one request, ${fault} at any operation`, async () => {
    const { runs, violations } = await everywhere({ fault })
    expect(violations).toEqual([])
    expect(runs).toBeGreaterThan(50)
  }, 120_000)
}

test('search: one request, cancelled while one of its processes stands still', async () => {
  const { operations } = await faultRun({ fault: 'none', at: Infinity })
  const violations: string[] = []
  for (let cancelAt = 1; cancelAt <= operations; cancelAt += 4) {
    for (let at = Math.max(1, cancelAt - 10); at < cancelAt + 10; at++) {
      const { violations: found, struck, state } = await faultRun({ fault: 'pause', at, cancelAt })
      for (const v of found) violations.push(`cancelled at ${cancelAt}, pause at ${at} (${struck?.client} ${struck?.kind} ${struck?.subject}) -> ${state}: ${v}`)
    }
  }
  expect(violations).toEqual([])
}, 180_000)

/** Every phase has two that may do it; a picture's tiles are spread, its vectors and its KV move. */
const APART: Omit<FaultRun, 'at' | 'fault'> = {
  sees: true,
  policy: policyOf('static'),
  cluster: { instances: 5, labels: { i1: 'encode', i2: 'encode+prefill', i3: 'prefill', i4: 'decode', i5: 'decode' } },
}

for (const fault of FAULTS) {
  test(`search: one request with a picture, ${fault} at any operation`, async () => {
    const { runs, violations } = await everywhere({ ...APART, fault })
    expect(violations).toEqual([])
    expect(runs).toBeGreaterThan(80)
  }, 240_000)
}

test('search: one request with a picture, cancelled while one of its processes stands still', async () => {
  const { operations } = await faultRun({ ...APART, fault: 'none', at: Infinity })
  const violations: string[] = []
  for (let cancelAt = 1; cancelAt <= operations; cancelAt += 8) {
    for (let at = Math.max(1, cancelAt - 8); at < cancelAt + 8; at += 2) {
      const { violations: found, struck, state } = await faultRun({ ...APART, fault: 'pause', at, cancelAt })
      for (const v of found) violations.push(`cancelled at ${cancelAt}, pause at ${at} (${struck?.client} ${struck?.kind} ${struck?.subject}) -> ${state}: ${v}`)
    }
  }
  expect(violations).toEqual([])
}, 180_000)
