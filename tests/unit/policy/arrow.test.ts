import { describe, expect, test } from 'vitest'
import { arrowV1 } from '../../../runtime/policy/arrow-v1.ts'
import { arrowV2 } from '../../../runtime/policy/arrow-v2.ts'
import { decodeLoad, prefillLoad } from '../../../runtime/policy/loads.ts'
import { instance, request, SLO, view } from './views.ts'

const v2 = arrowV2()
const P = { label: 'prefill' } as const
const D = { label: 'decode' } as const

describe('arrow-v2', () => {
  test('prefers, of those in time, the one with fewest decodes left from before its flip', () => {
    const decision = v2.onArrival(
      view([
        instance('a', { ...P, decodeTokens: 10 }),
        instance('b', { ...P, prefillWaitMs: 2_000 }),
        instance('c', D),
      ]),
      request('prefill'),
      v2.initial,
    )
    expect(decision).toMatchObject({ instance: 'b', reason: 'in time, fewest decodes' })
    expect(decision.labels).toBeUndefined()
  })

  test('flips the decode instance with least resident work when nobody is in time, half-flipped ones first', () => {
    const late = instance('a', { ...P, prefillWaitMs: 5_000 })
    const flip = (...others: ReturnType<typeof instance>[]) =>
      v2.onArrival(view([late, ...others]), request('prefill'), v2.initial)
    expect(flip(instance('b', { ...D, decodeTokens: 9 }), instance('c', { ...D, decodeTokens: 5 })))
      .toMatchObject({ instance: 'c', labels: [{ instance: 'c', label: 'prefill' }] })
    expect(flip(instance('b', { ...D, decodeTokens: 9, prefills: 1 }), instance('c', { ...D, decodeTokens: 5 })))
      .toMatchObject({ instance: 'b' })
    expect(flip(instance('b', D)), 'the last one stays').toMatchObject({ instance: 'a' })
  })

  test('takes nothing from a decode pool that is not idle, unless the guard is off', () => {
    const cluster = view([instance('a', { ...P, prefillWaitMs: 5_000 }), instance('b', D), instance('c', D)])
    const busy = { ...v2.initial, decodeLoad: 0.6 }
    expect(v2.onArrival(cluster, request('prefill'), busy).labels).toBeUndefined()
    expect(arrowV2({ guard: false }).onArrival(cluster, request('prefill'), busy).labels).toHaveLength(1)
  })

  test('decodes where the prompt was prefilled if that has the decode label by now', () => {
    const cluster = view([instance('a', { ...D, decodeTokens: 400_000 }), instance('b', D), instance('c', P)])
    expect(v2.onFirstToken(cluster, request('transfer', { kvOwner: 'a' }), v2.initial).instance).toBe('a')
    expect(v2.onFirstToken(cluster, request('transfer', { kvOwner: 'c' }), v2.initial).instance).toBe('b')
  })

  test('hands a prefill instance over when decode has no room, then waits out its cooldown', () => {
    const cluster = view([instance('a', { ...D, decodeTokens: 427_000 }), instance('b', P), instance('c', P)])
    const first = v2.onFirstToken(cluster, request('transfer', { kvOwner: 'c' }), v2.initial)
    expect(first).toMatchObject({
      instance: 'b',
      labels: [{ instance: 'b', label: 'decode' }],
      state: { flippedMs: 100_000 },
    })
    expect(v2.onFirstToken(cluster, request('transfer', { kvOwner: 'c' }), { ...v2.initial, ...first.state }))
      .toMatchObject({ instance: 'a', reason: 'no room, fewest tokens' })
  })

  test('hands one over on the tick when decode is loaded, or when prefill is idle and decode is not', () => {
    const at = (gapMs: number, waitMs: number) =>
      v2.onTick!(
        view([
          instance('a', { ...D, gaps: { count: 1, sumMs: gapMs, firstCount: 0, firstSumMs: 0, openMs: 0 } }),
          instance('b', { ...P, prefillWaitMeanMs: waitMs }),
          instance('c', { ...P, prefillWaitMeanMs: waitMs }),
        ]),
        v2.initial,
      ).labels.map(({ instance: id, label }) => [id, label])
    expect(at(60, 2_900)).toEqual([['b', 'decode']])
    expect(at(35, 2_900)).toEqual([])
    expect(at(35, 0)).toEqual([['b', 'decode']])
    expect(at(12, 0)).toEqual([])
  })

  test('asks for as many ticks in a row as it was told', () => {
    const patient = arrowV2({ sustainedTicks: 2 })
    const cluster = view([
      instance('a', { ...D, gaps: { count: 1, sumMs: 99, firstCount: 0, firstSumMs: 0, openMs: 0 } }),
      instance('b', P),
      instance('c', P),
    ])
    const first = patient.onTick!(cluster, patient.initial)
    expect(first.labels).toEqual([])
    expect(patient.onTick!(cluster, { ...patient.initial, ...first.state }).labels).toHaveLength(1)
  })
})

describe('arrow-v1', () => {
  const v1 = arrowV1()

  test('tries P, then D→P, then takes a decode instance, then the least late', () => {
    const half = instance('b', { ...P, decodes: 1 })
    const late = { ...P, prefillWaitMs: 5_000 }
    const place = (...all: ReturnType<typeof instance>[]) => v1.onArrival(view(all), request('prefill'), v1.initial)
    expect(place(instance('a', { ...P, prefillWaitMs: 9 }), half)).toMatchObject({
      instance: 'a',
      reason: 'in time, of P',
    })
    expect(place(instance('a', late), half)).toMatchObject({ instance: 'b', reason: 'in time, of D→P' })
    expect(place(instance('a', late), instance('c', D), instance('d', D))).toMatchObject({
      instance: 'c',
      labels: [{ label: 'prefill' }],
    })
    expect(
      place(
        instance('a', late),
        instance('c', { ...D, decodeTokens: 300_000 }),
        instance('d', { ...D, decodeTokens: 200_000 }),
      ),
      'the rest would not fit',
    )
      .toMatchObject({ instance: 'a' })
  })

  test('decodes at home, else in D, else in P→D, else flips', () => {
    const full = { ...D, decodeTokens: 427_000 }
    const place = (...all: ReturnType<typeof instance>[]) =>
      v1.onFirstToken(view(all), request('transfer', { kvOwner: 'a' }), v1.initial)
    const a = instance('a', P)
    expect(place(instance('a', D), instance('b', D)).instance).toBe('a')
    expect(place(a, instance('b', { ...D, prefills: 1 }), instance('c', D))).toMatchObject({
      instance: 'c',
      reason: 'has room, of D',
    })
    expect(place(a, instance('b', { ...D, prefills: 1 }), instance('c', full))).toMatchObject({
      instance: 'b',
      reason: 'has room, of P→D',
    })
    expect(place(a, instance('b', P), instance('c', full))).toMatchObject({
      instance: 'a',
      labels: [{ label: 'decode' }],
    })
    expect(place(a, instance('c', full))).toMatchObject({ instance: 'c', reason: 'no room, fewest tokens' })
  })
})

describe('loads', () => {
  const gaps = (changes: object) => ({ count: 0, sumMs: 0, firstCount: 0, firstSumMs: 0, openMs: 0, ...changes })

  test('plain counts the transfer gap and no tokens as idle; corrected neither', () => {
    const moved = instance('a', { gaps: gaps({ count: 1, sumMs: 20, firstCount: 1, firstSumMs: 180 }) })
    expect(decodeLoad([moved], SLO, 'plain')).toBeCloseTo(2)
    expect(decodeLoad([moved], SLO, 'corrected')).toBeCloseTo((20 - 8.02) / (50 - 8.02))
    const stuck = instance('a', { gaps: gaps({ openMs: 500 }) })
    expect(decodeLoad([stuck], SLO, 'plain')).toBe(0)
    expect(decodeLoad([stuck], SLO, 'corrected')).toBeGreaterThan(10)
  })

  test('a batch of one reads as idle once its floor is taken off', () => {
    const alone = instance('a', { gaps: gaps({ count: 10, sumMs: 81 }) })
    expect(decodeLoad([alone], { ttftMs: 1, tpotMs: 12 }, 'plain')).toBeGreaterThan(0.5)
    expect(decodeLoad([alone], { ttftMs: 1, tpotMs: 12 }, 'corrected')).toBeLessThan(0.05)
    expect(decodeLoad([alone], { ttftMs: 1, tpotMs: 5 }, 'corrected'), 'an SLO nobody can keep').toBe(1)
  })

  test('prefill load is the wait at the tick, or over the interval', () => {
    const pool = [instance('a', { prefillWaitMs: 3_000, prefillWaitMeanMs: 1_500 })]
    expect([prefillLoad(pool, SLO, 'plain'), prefillLoad(pool, SLO, 'corrected'), prefillLoad([], SLO, 'plain')])
      .toEqual([1, 0.5, 0])
  })
})
