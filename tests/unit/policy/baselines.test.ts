import { describe, expect, test } from 'vitest'
import { place, type Policy, policyOf } from '../../../runtime/policy/mod.ts'
import { instance, request, view } from './views.ts'

const go = (policy: Policy, instances: ReturnType<typeof instance>[], about = request('prefill'), placements = 0) =>
  place(policy, view(instances, { placements }), about, policy.initial)

test('policyOf() names those there are', () => {
  expect(() => policyOf('arow-v2')).toThrow(/known are arrow-v1, arrow-v2, colocated/)
})

describe('baselines', () => {
  test('least-load goes by tokens and breaks ties by id', () => {
    const policy = policyOf('least-load')
    expect(go(policy, [instance('b'), instance('a'), instance('c', { decodeTokens: 1 })])).toMatchObject({
      instance: 'a',
    })
    expect(go(policy, [instance('a', { prefillTokens: 2 }), instance('c', { decodeTokens: 1 })])).toMatchObject({
      instance: 'c',
    })
  })

  test('static keeps to labels, and unlabelled instances take anything', () => {
    const policy = policyOf('static')
    const all = [
      instance('a', { label: 'decode' }),
      instance('b', { label: 'prefill', prefillWaitMs: 9 }),
      instance('c', { label: 'prefill', prefillWaitMs: 8 }),
    ]
    expect(go(policy, all)).toMatchObject({ instance: 'c' })
    expect(go(policy, all, request('transfer'))).toMatchObject({ instance: 'a' })
    expect(go(policy, [...all, instance('d')])).toMatchObject({ instance: 'd' })
    expect(go(policy, all.slice(1), request('transfer')).instance, 'nobody decodes').toBeUndefined()
    expect(go(policy, [instance('a')]), 'alone').toMatchObject({ instance: 'a', decodeHere: true })
  })

  test('colocated and single decode where they prefill', () => {
    const two = [instance('a', { prefillWaitMs: 5, prefillTokens: 5 }), instance('b', { decodeTokens: 9 })]
    expect(go(policyOf('colocated'), two)).toMatchObject({ instance: 'b', decodeHere: true })
    expect(go(policyOf('single'), two)).toMatchObject({ instance: 'a', decodeHere: true })
    for (const name of ['colocated', 'single']) {
      expect(go(policyOf(name), two, request('transfer', { kvOwner: 'a' })).instance).toBe('a')
    }
  })

  test('round-robin takes turns', () => {
    const two = [instance('a'), instance('b')]
    expect([0, 1, 2].map((n) => go(policyOf('round-robin'), two, request('prefill'), n).instance)).toEqual([
      'a',
      'b',
      'a',
    ])
  })
})

describe('xllm', () => {
  const policy = policyOf('xllm')
  const P = { label: 'prefill' } as const
  const D = { label: 'decode' } as const

  test('chooses both ends at arrival, and keeps to it', () => {
    expect(go(policy, [instance('a', P), instance('b', D)])).toMatchObject({ instance: 'a', decodeAt: 'b' })
    const planned = request('transfer', { decodeAt: 'c' })
    expect(go(policy, [instance('a', P), instance('b', D), instance('c', D)], planned)).toMatchObject({ instance: 'c' })
    expect(go(policy, [instance('a', P), instance('b', D)], planned)).toMatchObject({ instance: 'b' })
  })

  test('borrows an idle decode instance for a prompt that would be late, without a flip', () => {
    const decision = go(policy, [
      instance('a', { ...P, prefillWaitMs: 5_000 }),
      instance('b', { ...D, decodeTokens: 1_000, decodes: 1 }),
      instance('c', D),
    ])
    expect(decision).toMatchObject({ instance: 'c', decodeAt: 'b', reason: 'borrowed from decode' })
    expect(decision.labels).toBeUndefined()
  })

  test('relabels the prefill instance it chose when no decode instance is fast enough', () => {
    const slow = { ...D, decodeTokens: 900_000 }
    expect(go(policy, [instance('a', P), instance('b', P), instance('c', slow)])).toMatchObject({
      instance: 'a',
      labels: [{ instance: 'a', label: 'decode' }],
    })
  })

  test('gives decode instances that ran dry to prefill, but the last', () => {
    const tick = policy.onTick!(view([instance('a', P), instance('b', D), instance('c', D)]), policy.initial)
    expect(tick.labels.map(({ instance: id }) => id)).toEqual(['b'])
  })
})
