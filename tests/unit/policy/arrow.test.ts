import { describe, expect, test } from 'vitest'
import { place, policyOf } from '../../../runtime/policy/mod.ts'
import { arrowV1 } from '../../../runtime/policy/arrow-v1.ts'
import { arrowV2 } from '../../../runtime/policy/arrow-v2.ts'
import { decodeLoad, waitLoad } from '../../../runtime/policy/loads.ts'
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
    const at = (decodeTokens: number, waitMs: number, gapMs = 20) =>
      v2.onTick!(
        view([
          instance('a', {
            ...D,
            decodeTokens,
            gaps: { count: 1, sumMs: gapMs, firstCount: 0, firstSumMs: 0, openMs: 0 },
          }),
          instance('b', { ...P, prefillWaitMeanMs: waitMs }),
          instance('c', { ...P, prefillWaitMeanMs: waitMs }),
        ]),
        v2.initial,
      ).labels.map(({ instance: id, label }) => [id, label])
    expect(at(430_000, 2_900), 'full').toEqual([['b', 'decode']])
    expect(at(1_000, 2_900, 60), 'slower than its SLO').toEqual([['b', 'decode']])
    expect(at(300_000, 2_900), 'prefill has work').toEqual([])
    expect(at(300_000, 0)).toEqual([['b', 'decode']])
    expect(at(100_000, 0)).toEqual([])
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

describe('arrow-v2 where nobody is labelled, or no SLO is given', () => {
  const place = (all: ReturnType<typeof instance>[], slo = SLO, about = request('prefill')) =>
    v2[about.phase === 'transfer' ? 'onFirstToken' : 'onArrival'](view(all, { slo }), about, v2.initial)
  const none = { ttftMs: Infinity, tpotMs: Infinity }

  test('alone it serves every phase, with no transfer', () => {
    expect(place([instance('a')])).toMatchObject({ instance: 'a', decodeHere: true })
    expect(place([instance('a')], none)).toMatchObject({ instance: 'a', decodeHere: true })
    expect(place([instance('a')], none, request('transfer', { kvOwner: 'a' })).instance).toBe('a')
    expect(place([instance('a')], none, request('encode')).instance).toBe('a')
  })

  test('several share by wait, then by decodes', () => {
    const busy = instance('a', { decodeTokens: 9_000, decodes: 3 })
    expect(place([busy, instance('b')])).toMatchObject({ instance: 'b', decodeHere: true })
    expect(place([busy, instance('b', { prefillWaitMs: 10 })])).toMatchObject({ instance: 'a', decodeHere: true })
    expect(place([busy, instance('b', { prefillWaitMs: 10 })], none)).toMatchObject({ instance: 'a' })
  })

  test('an instance labelled decode is used beside one that takes anything', () => {
    const all = [instance('a', { decodeTokens: 10 }), instance('b', D)]
    expect(place(all)).toMatchObject({ instance: 'a' })
    expect(place(all).decodeHere).toBeUndefined()
    expect(place(all, SLO, request('transfer', { kvOwner: 'a' })).instance).toBe('b')
  })

  test('without both SLOs it moves no label, however loaded a pool is', () => {
    const full = { ...D, decodeTokens: 440_000 }
    const all = [instance('a', { ...P, prefillWaitMs: 1e9 }), instance('b', P), instance('c', full), instance('d', full)]
    for (const slo of [none, { ttftMs: 1, tpotMs: Infinity }, { ttftMs: Infinity, tpotMs: 1 }]) {
      expect(place(all, slo).labels).toBeUndefined()
      expect(place(all, slo, request('transfer', { kvOwner: 'a' })).labels).toBeUndefined()
      expect(v2.onTick!(view(all, { slo }), v2.initial).labels).toEqual([])
    }
    expect(place(all, none).instance, 'least wait').toBe('b')
  })
})

describe('images', () => {
  const E = { label: 'encode' } as const
  const image = (changes = {}) => request('encode', { tiles: 4, ...changes })
  const names = ['arrow-v1', 'arrow-v2', 'static', 'xllm', 'colocated', 'least-load', 'round-robin', 'single']

  test.each(names)('%s encodes where the label is, or anywhere when nobody has it', (name) => {
    const policy = policyOf(name)
    const go = (...all: ReturnType<typeof instance>[]) => place(policy, view(all), image(), policy.initial).instance
    if (['arrow-v1', 'arrow-v2', 'static', 'xllm', 'colocated'].includes(name)) {
      expect(go(instance('a', P), instance('b', D), instance('c', { ...E, encodeWaitMs: 100 }))).toBe('c')
      expect(go(instance('a', P), instance('b', { label: 'encode+decode' }))).toBe('b')
    }
    expect(go(instance('a', P), instance('b', { ...D, freeSlots: { prefill: 0, decode: 0, other: 0 } }))).toBe('a')
  })

  test('arrow-v2 flips for an image that would be late: decode if that is idle, else prefill if that is', () => {
    const late = instance('a', { ...E, encodeWaitMs: 5_000 })
    const go = (state: object, ...all: ReturnType<typeof instance>[]) =>
      v2.onArrival(view([late, ...all]), image(), { ...v2.initial, ...state })
    const all = [instance('b', P), instance('c', P), instance('d', D), instance('e', D)]
    expect(go({}, ...all)).toMatchObject({ instance: 'd', labels: [{ instance: 'd', label: 'encode' }] })
    expect(go({ decodeLoad: 0.9 }, ...all)).toMatchObject({ instance: 'b', labels: [{ label: 'encode' }] })
    const busy = all.map((i) => ({ ...i, prefillWaitMs: 2_000 }))
    expect(go({ decodeLoad: 0.9 }, ...busy).labels).toBeUndefined()
  })

  test('the time until the first token counts encode, the wait for prefill, and what has passed already', () => {
    const cluster = (encodeWaitMs: number, prefillWaitMs: number) =>
      [instance('a', { ...E, encodeWaitMs }), instance('b', { ...P, prefillWaitMs }), instance('c', D), instance('d', D)]
    const all = cluster(2_000, 900)
    expect(v2.onArrival(view(all), image({ promptTokens: 10 }), v2.initial).labels).toBeUndefined()
    expect(v2.onArrival(view(all), image({ promptTokens: 4_000 }), v2.initial).labels).toHaveLength(1)
    expect(v2.onArrival(view(all), image({ promptTokens: 10, waitedMs: 500 }), v2.initial).labels).toHaveLength(1)
    const late = view(cluster(900, 2_900))
    expect(v2.onArrival(late, image(), v2.initial).labels, 'prefill is what it waits for').toBeUndefined()
  })

  test('an instance that is flipped gets the label that the pool has', () => {
    const EP = { label: 'encode+prefill' } as const
    const late = instance('a', { ...EP, prefillWaitMs: 5_000 })
    const all = [late, instance('b', D), instance('c', D)]
    expect(v2.onArrival(view(all), request('prefill'), v2.initial).labels).toMatchObject([{ label: 'encode+prefill' }])
    const full = { ...D, decodeTokens: 440_000 }
    expect(v2.onTick!(view([late, instance('b', EP), instance('c', full)]), v2.initial).labels)
      .toMatchObject([{ instance: 'b', label: 'decode' }])
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

  test('plain counts the transfer gap, and a full pool that keeps its pace as half idle; corrected neither', () => {
    const moved = instance('a', { gaps: gaps({ count: 1, sumMs: 20, firstCount: 1, firstSumMs: 180 }) })
    expect(decodeLoad([moved], SLO, 'plain')).toBeCloseTo(2)
    expect(decodeLoad([moved], SLO, 'corrected')).toBe(0)
    const full = instance('a', { decodeTokens: 0.95 * 450_000, gaps: gaps({ count: 1, sumMs: 25 }) })
    expect(decodeLoad([full], SLO, 'plain')).toBe(0.5)
    expect(decodeLoad([full], SLO, 'corrected')).toBe(1)
  })

  test('who is slower than its profile says is loaded by what is seen, stuck or not', () => {
    const slow = instance('a', { decodeTokens: 10, gaps: gaps({ count: 4, sumMs: 300 }) })
    expect(decodeLoad([slow], SLO, 'corrected')).toBe(1.5)
    const stuck = instance('a', { gaps: gaps({ openMs: 500 }) })
    expect(decodeLoad([stuck], SLO, 'plain')).toBe(0)
    expect(decodeLoad([stuck], SLO, 'corrected')).toBe(10)
  })

  test('a batch of one reads as idle under a tight SLO', () => {
    const alone = instance('a', { decodeTokens: 500, gaps: gaps({ count: 10, sumMs: 81 }) })
    expect(decodeLoad([alone], { ttftMs: 1, tpotMs: 12 }, 'plain')).toBeGreaterThan(0.5)
    expect(decodeLoad([alone], { ttftMs: 1, tpotMs: 12 }, 'corrected')).toBeLessThan(0.05)
    expect(decodeLoad([alone], { ttftMs: 1, tpotMs: 5 }, 'corrected'), 'an SLO nobody can keep').toBeGreaterThan(1)
  })

  test('prefill load is the wait at the tick, or over the interval', () => {
    const pool = [instance('a', { prefillWaitMs: 3_000, prefillWaitMeanMs: 1_500 })]
    expect([waitLoad(pool, SLO, 'plain'), waitLoad(pool, SLO, 'corrected'), waitLoad([], SLO, 'plain')])
      .toEqual([1, 0.5, 0])
  })
})
