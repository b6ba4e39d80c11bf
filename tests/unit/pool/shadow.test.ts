import { expect, test } from 'vitest'
import type { LedgerEntry } from '../../../runtime/pool/ledger.ts'
import { shadowed, shadowSummary, type ShadowTallies } from '../../../runtime/pool/shadow.ts'

const entry = (phase: string, instance: string, predictedMs: number | undefined, other: string, otherMs: number | undefined): LedgerEntry => ({
  outcome: 'accepted', request: 'r', phase, policy: 'real', instance, reason: '', scores: {}, predictedMs, flips: [], atMs: 0,
  shadow: { policy: 'other', instance: other, reason: '', predictedMs: otherMs },
})

test('a shadow\'s agreement and predicted gain, by phase', () => {
  const entries = [
    entry('prefill', 'a', 100, 'b', 40), entry('prefill', 'a', 50, 'a', 50),
    // Nobody could take it, says the shadow: no agreement, and nothing to compare.
    entry('prefill', 'a', 70, '', undefined),
    entry('transfer', 'b', 10, 'a', 30),
    { ...entry('prefill', 'a', 1, 'b', 9), outcome: 'refused: full' },
  ]
  const tallies = entries.reduce<ShadowTallies>(shadowed, {})
  expect(shadowSummary(tallies)).toEqual([
    { phase: 'prefill', decisions: 3, agreement: 1 / 3, realMeanMs: 75, shadowMeanMs: 45, gainMs: 30 },
    { phase: 'transfer', decisions: 1, agreement: 0, realMeanMs: 10, shadowMeanMs: 30, gainMs: -20 },
  ])
})

test('decisions that no shadow saw do not count', () => {
  const { shadow: _, ...alone } = entry('decode', 'a', 1, 'a', 1)
  expect(shadowed({}, alone)).toEqual({})
})
