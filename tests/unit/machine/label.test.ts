import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dwellLeftMs, type LabelAsk, type LabelRest, NO_LABEL, stepLabel } from '../../../runtime/machine/label.ts'

const given = (changes: Partial<LabelRest> = {}): LabelRest => ({ ...NO_LABEL, label: 'prefill', by: 'start', sinceMs: 1_000, dwellMs: 500, ...changes })
const ask = (changes: Partial<LabelAsk> = {}): LabelAsk => ({
  label: 'decode', by: 'policy x', reason: 'why', force: false, atMs: 5_000, dwellMs: 700, cooldownMs: 0, poolToDecodeMs: 0, orphan: undefined, ...changes,
})

describe('stepLabel()', () => {
  test('gives a settled label, and tells who asked, why and what it was before', () => {
    expect(stepLabel(given({ flips: 3 }), ask())).toEqual({
      next: { label: 'decode', by: 'policy x', reason: 'why', sinceMs: 5_000, was: 'prefill', dwellMs: 700, forced: false, flips: 4, toDecodeMs: 5_000 },
    })
  })

  test('gives a first label at once', () => {
    expect(stepLabel(NO_LABEL, ask())).toMatchObject({ next: { label: 'decode', was: null, flips: 1, toDecodeMs: 0 } })
  })

  test.each([
    ['a young label', { atMs: 1_400 }, 'its label is 400 ms old and stays for 100 ms more'],
    ['the last of its pool', { orphan: 'prefill' }, 'nobody would be left for prefill'],
    ['a pool that cools down', { cooldownMs: 3_000, poolToDecodeMs: 4_000 }, 'its pool cools down for 2000 ms more'],
  ])('refuses %s, unless an operator forces it', (_, changes, why) => {
    expect(stepLabel(given(), ask(changes))).toEqual({ refused: why, same: false })
    expect(stepLabel(given(), ask({ ...changes, by: 'operator', force: true }))).toMatchObject({ next: { label: 'decode', forced: true, toDecodeMs: 0 } })
  })

  test('a cooldown holds back the way from prefill to decode alone', () => {
    const cooling = { cooldownMs: 3_000, poolToDecodeMs: 4_000 }
    expect(stepLabel(given({ label: 'decode' }), ask({ label: 'prefill', ...cooling }))).toMatchObject({ next: { label: 'prefill' } })
    expect(stepLabel(given({ label: null }), ask(cooling))).toMatchObject({ next: { label: 'decode' } })
  })

  test('the label it has is no change, whoever asks', () => {
    for (const force of [false, true]) {
      expect(stepLabel(given(), ask({ label: 'prefill', force }))).toEqual({ refused: 'it is labelled prefill already', same: true })
    }
  })
})

test('under any asks: no label changes inside its dwell, none is the last of its pool, none cools down, unless forced', () => {
  const label = fc.constantFrom('prefill', 'decode', 'encode', null)
  const asks = fc.array(fc.record({
    label, afterMs: fc.nat(900), dwellMs: fc.nat(1_000), cooldownMs: fc.nat(2_000), orphan: fc.constantFrom(undefined, 'prefill'),
    force: fc.nat(9).map((n) => n === 0),
  }), { maxLength: 30 })
  fc.assert(fc.property(asks, (all) => {
    let rest = NO_LABEL
    let atMs = 10_000
    for (const { afterMs, force, ...one } of all) {
      atMs += afterMs
      const made = stepLabel(rest, ask({ ...one, force, atMs, poolToDecodeMs: rest.toDecodeMs }))
      if ('next' in made) {
        expect(made.next.label).not.toBe(rest.label)
        expect(made.next).toMatchObject({ label: one.label, was: rest.label, sinceMs: atMs, flips: rest.flips + 1, forced: force })
        if (!force) {
          expect(dwellLeftMs(rest, atMs)).toBe(0)
          expect(one.orphan).toBeUndefined()
          if (rest.label === 'prefill' && one.label === 'decode') expect(atMs - rest.toDecodeMs).toBeGreaterThanOrEqual(one.cooldownMs)
        }
        rest = made.next
      } else expect(made.refused).not.toBe('')
    }
  }), { numRuns: 500 })
})
