/** A policy is tested like any function: a view in, a decision out. Runs with `npm test -- examples/03-own-policy`. */
import { expect, test } from 'vitest'
import { checkPolicy, type ClusterView, type InstanceView, type PlaceRequest, unmeasured } from '../../mod.ts'
import shortFirst from './policy.ts'

const instance = (id: string, changes: Partial<InstanceView> = {}): InstanceView => ({
  id, label: undefined, labelSinceMs: 0, model: 'm', phases: ['prefill', 'transfer', 'decode'], host: 'h',
  freeSlots: { prefill: 4, decode: 8, other: 16 }, prefillTokens: 0, prefills: 0, prefillWaitMs: 0, prefillWaitMeanMs: 0,
  encodeTiles: 0, encodes: 0, encodeWaitMs: 0, decodeTokens: 0, decodes: 0, gaps: { count: 0, sumMs: 0, firstCount: 0, firstSumMs: 0, openMs: 0 },
  profile: unmeasured(10_000), contextLength: 10_000, kvTokensFree: 10_000, kvTokensTotal: 10_000, draining: false, ...changes,
})
const view = (...instances: InstanceView[]): ClusterView => ({
  instances, placements: 0, nowMs: 0, slo: { ttftMs: Infinity, tpotMs: Infinity },
})
const prompt = (promptTokens: number): PlaceRequest => ({
  id: 'r', phase: 'prefill', slots: 'prefill', model: 'm', promptTokens, maxTokens: 0, kvOwner: undefined,
})
const chosen = (cluster: ClusterView, tokens: number) => shortFirst.onArrival(cluster, prompt(tokens), {}).instance

test('it is a policy', () => {
  expect(checkPolicy(shortFirst, 'policy.ts').name).toBe('short-first')
})

test('long prompts go to the last instance, short ones to the others, the least busy first', () => {
  const cluster = view(instance('a', { prefillWaitMs: 20 }), instance('b'), instance('c'))
  expect([chosen(cluster, 10), chosen(cluster, 2_000)]).toEqual(['b', 'c'])
})

test('a short one takes the last when nobody else is free, and waits when nobody is', () => {
  const full = { freeSlots: { prefill: 0, decode: 0, other: 0 } }
  expect(chosen(view(instance('a', full), instance('b')), 10)).toBe('b')
  expect(chosen(view(instance('a', full), instance('b', full)), 10)).toBeUndefined()
})
