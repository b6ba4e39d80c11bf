/** The rules of the elastic policies, each by a case that a rule a little different would decide otherwise. */
import { describe, expect, test } from 'vitest'
import { arrowV1 } from '../../../runtime/policy/arrow-v1.ts'
import { arrowV2 } from '../../../runtime/policy/arrow-v2.ts'
import { decodeLoad } from '../../../runtime/policy/loads.ts'
import { type InstanceView, type Policy, policyOf, prefillMs, residentLimit } from '../../../runtime/policy/mod.ts'
import { instance, request, SLO, view } from './views.ts'

const v1 = arrowV1()
const v2 = arrowV2()
const P = { label: 'prefill' } as const
const D = { label: 'decode' } as const
const E = { label: 'encode' } as const
/** Tokens that make a decode instance of "8b" 70 % full. */
const BUSY = 300_000
const tick = (policy: Policy, ...all: InstanceView[]) =>
  policy.onTick!(view(all), policy.initial).labels.map((change) => `${change.instance} ${change.label}`)

describe('arrow-v2', () => {
  test('its tick remembers the load it saw and the flip it made, and waits out the cooldown', () => {
    const cluster = view([instance('a', { ...D, decodeTokens: 430_000 }), instance('b', P), instance('c', P)])
    const { labels, state } = v2.onTick!(cluster, { ...v2.initial, asked: 4 })
    expect([labels.length, state['flippedMs'], state['asked']]).toEqual([1, cluster.nowMs, 0])
    expect(state['decodeLoad']).toBeCloseTo(430_000 / 427_500, 9)
    expect(v2.onTick!(cluster, { ...v2.initial, ...state }).labels).toEqual([])
  })

  test('a calm tick forgets those that asked before it', () => {
    const patient = arrowV2({ sustainedTicks: 2 })
    const calm = view([instance('a', D), instance('b', P), instance('c', P)])
    expect(patient.onTick!(calm, { ...patient.initial, asked: 1 }).state['asked']).toBe(0)
  })

  test('a decode goes to fewest prompt tokens before it goes to most room', () => {
    const all = [instance('a', P), instance('b', { ...D, prefillTokens: 5_000 }), instance('c', { ...D, decodeTokens: BUSY })]
    expect(v2.onFirstToken(view(all), request('transfer', { kvOwner: 'a' }), v2.initial).instance).toBe('c')
  })

  test('who decodes and encodes is not given away while images wait there', () => {
    const both = (encodeWaitMs: number) => ({ label: 'encode+decode', encodeWaitMs }) as const
    const go = (encodeWaitMs: number) =>
      v2.onArrival(
        view([instance('a', { ...P, prefillWaitMs: 5_000 }), instance('b', both(encodeWaitMs)), instance('c', both(encodeWaitMs))]),
        request('prefill'),
        v2.initial,
      ).labels
    expect(go(9_000)).toBeUndefined()
    expect(go(0)).toHaveLength(1)
  })

  test('between encode and prefill a label rests for a cooldown', () => {
    const go = (labelSinceMs: number) =>
      v2.onArrival(
        view([
          instance('a', { ...E, encodeWaitMs: 5_000 }),
          instance('b', { ...P, labelSinceMs }),
          instance('c', { ...P, labelSinceMs }),
          instance('d', D),
        ]),
        request('encode', { tiles: 4 }),
        { ...v2.initial, decodeLoad: 0.9 },
      ).labels
    expect(go(95_000)).toBeUndefined()
    expect(go(90_000)).toHaveLength(1)
  })

  test('decode is given an instance of the pool with the shorter wait', () => {
    const all = (encodeWaitMs: number, prefillWaitMeanMs: number) => [
      instance('a', { ...D, decodeTokens: 430_000 }),
      ...['b', 'c'].map((id) => instance(id, { ...P, prefillWaitMeanMs })),
      ...['d', 'e'].map((id) => instance(id, { ...E, encodeWaitMs })),
    ]
    expect(tick(v2, ...all(0, 2_000))).toEqual(['d decode'])
    expect(tick(v2, ...all(2_000, 0))).toEqual(['b decode'])
  })
})

test.each(['arrow-v1', 'arrow-v2'])('%s counts what a prompt has waited already', (name) => {
  const policy = policyOf(name)
  const go = (waitedMs: number) =>
    policy.onArrival(view([instance('a', P), instance('c', D), instance('d', D)]), request('prefill', { waitedMs }), policy.initial)
  expect(go(2_900).labels).toBeUndefined()
  expect(go(2_980)).toMatchObject({ instance: 'c', labels: [{ label: 'prefill' }] })
})

describe('arrow-v1', () => {
  test('leaves as many decode instances as it was told', () => {
    const go = (minDecode: number) =>
      arrowV1({ minDecode }).onArrival(
        view([instance('a', { ...P, prefillWaitMs: 5_000 }), instance('b', D), instance('c', D)]),
        request('prefill'),
        {},
      ).labels
    expect(go(1)).toHaveLength(1)
    expect(go(2)).toBeUndefined()
  })

  test('its tick hands one over when decode is over its SLO, or when it is not idle and a prefill or encode is', () => {
    const working = { prefills: 1, encodes: 1 }
    const all = (decodeTokens: number, changes: Partial<InstanceView>) => [
      instance('a', { ...D, decodeTokens }),
      ...['b', 'c'].map((id) => instance(id, { ...P, ...changes })),
    ]
    expect(tick(v1, ...all(430_000, working))).toEqual(['b decode'])
    expect(tick(v1, ...all(BUSY, working))).toEqual([])
    expect(tick(v1, ...all(BUSY, {}))).toEqual(['b decode'])
    expect(tick(v1, ...all(100_000, {}))).toEqual([])
    expect(tick(v1, ...all(BUSY, { decodes: 1 })), 'idle = no decodes from before either').toEqual([])
    expect(tick(v1, ...all(BUSY, working), instance('e', E), instance('f', E))).toHaveLength(1)
  })

  test('an image that is in time moves no label, one that would be late does', () => {
    const go = (encodeWaitMs: number) =>
      v1.onArrival(
        view([instance('a', { ...E, encodeWaitMs }), instance('b', P), instance('c', D), instance('d', D)]),
        request('encode', { tiles: 4 }),
        {},
      ).labels
    expect(go(1_000)).toBeUndefined()
    expect(go(5_000)).toMatchObject([{ instance: 'c', label: 'encode' }])
  })
})

describe('xllm', () => {
  const xllm = policyOf('xllm')
  const go = (...all: InstanceView[]) => xllm.onArrival(view(all), request('prefill'), {})
  const late = instance('a', { ...P, prefillWaitMs: 5_000 })

  test('borrows only who decodes faster than its share of the TPOT, and would be sooner', () => {
    const lender = (changes: Partial<InstanceView>) => go(late, instance('b', { ...D, decodeTokens: 400_000 }), instance('c', { ...D, ...changes }))
    expect(lender({ decodeTokens: 200_000 })).toMatchObject({ instance: 'c', decodeAt: 'b' })
    // 29 ms, more than the half of 50.
    expect(lender({ decodeTokens: 350_000 }).instance).toBe('a')
    expect(lender({ prefillWaitMs: 9_000 }).instance).toBe('a')
  })

  test('relabels only if prefill has time to spare, or more instances than decode', () => {
    const busy = { ...P, prefillWaitMs: 2_900 }
    const slow = (id: string) => instance(id, { ...D, decodeTokens: 900_000 })
    expect(go(instance('a', busy), instance('b', busy), slow('c'), slow('d')).labels).toBeUndefined()
    expect(go(instance('a', P), instance('b', P), slow('c'), slow('d')).labels).toHaveLength(1)
    expect(go(instance('a', busy), instance('b', busy), instance('e', busy), slow('c')).labels).toHaveLength(1)
  })
})

describe('what all of them count with', () => {
  const { profile } = instance('a')
  const gaps = { count: 1, sumMs: 60, firstCount: 0, firstSumMs: 0, openMs: 0 }

  test('pauses beside prefills are no load of decode, and who is slow is no less full', () => {
    expect(decodeLoad([instance('a', { gaps, prefills: 1 })], SLO, 'corrected')).toBe(0)
    expect(decodeLoad([instance('a', { gaps, decodeTokens: 2 * 427_500 })], SLO, 'corrected')).toBe(2)
  })

  test('where memory does not limit, the TPOT does: tokens, and the sequences they belong to', () => {
    expect(residentLimit({ ...profile, kvTokens: 1e7 }, 50)).toBeCloseTo((50 - 8) / (60e-6 + 0.02 / 2_000), 6)
  })

  test('a prompt in two parts costs what it costs as one, and an iteration more', () => {
    expect(prefillMs(profile, 3_000) + prefillMs(profile, 1_000, 3_000)).toBeCloseTo(prefillMs(profile, 4_000) + profile.baseMs, 9)
  })

  test('images wait for those that carry encode, also while these are full', () => {
    const full = { ...E, freeSlots: { prefill: 0, decode: 0, other: 0 } }
    for (const name of ['arrow-v1', 'static', 'xllm', 'colocated']) {
      const policy = policyOf(name)
      expect(policy.onArrival(view([instance('a', full), instance('b', P)]), request('encode', { tiles: 1 }), policy.initial).instance)
        .toBeUndefined()
    }
  })

  test('static moves KV to the only one that decodes, unless it has prefilled', () => {
    const policy = policyOf('static')
    expect(policy.onArrival(view([instance('a', P), instance('b', D)]), request('prefill'), {}).decodeHere).toBeUndefined()
  })
})
