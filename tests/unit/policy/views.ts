/** Views for policy tests: an idle instance, and arbitrary clusters for properties. @module */
import fc from 'fast-check'
import { type ClusterView, type InstanceView, type Label, LABELS, type PlaceRequest } from '../../../runtime/policy/policy.ts'
import { profileOf } from '../../../runtime/sim/profiles.ts'

const profile = profileOf('8b')
export const SLO = { ttftMs: 3_000, tpotMs: 50 }

/** An idle instance, with whatever is different about it. */
export function instance(id: string, changes: Partial<InstanceView> = {}): InstanceView {
  return {
    id,
    label: undefined,
    labelSinceMs: 0,
    model: 'm',
    phases: ['encode', 'prefill', 'transfer', 'decode'],
    host: 'h',
    freeSlots: { prefill: 8, decode: 8, other: 8 },
    prefillTokens: 0,
    prefills: 0,
    prefillWaitMs: 0,
    prefillWaitMeanMs: 0,
    encodeTiles: 0,
    encodes: 0,
    encodeWaitMs: 0,
    decodeTokens: 0,
    decodes: 0,
    gaps: { count: 0, sumMs: 0, firstCount: 0, firstSumMs: 0, openMs: 0 },
    profile,
    contextLength: profile.kvTokens,
    kvTokensFree: profile.kvTokens,
    kvTokensTotal: profile.kvTokens,
    draining: false,
    ...changes,
  }
}

export const view = (instances: InstanceView[], changes: Partial<ClusterView> = {}): ClusterView => ({
  instances,
  placements: 0,
  nowMs: 100_000,
  slo: SLO,
  ...changes,
})

const SLOTS = { encode: 'other', prefill: 'prefill', transfer: 'decode' } as const

export function request(phase: keyof typeof SLOTS, changes: Partial<PlaceRequest> = {}): PlaceRequest {
  const slots = SLOTS[phase]
  return { id: 'r', phase, slots, model: 'm', promptTokens: 1_000, maxTokens: 0, kvOwner: undefined, ...changes }
}

const label = fc.constantFrom<Label | undefined>(...LABELS, 'prefill', 'decode', 'prefill', 'decode', undefined)
const few = fc.nat({ max: 3 })

const ALL = ['encode', 'prefill', 'transfer', 'decode']

const anInstance = (id: string): fc.Arbitrary<InstanceView> =>
  fc.record({
    label,
    labelSinceMs: fc.integer({ min: 80_000, max: 100_000 }),
    freeSlots: fc.record({ prefill: few, decode: few, other: few }),
    phases: fc.constantFrom(ALL, ALL, ['encode'], ['prefill'], ['transfer', 'decode'], ['prefill', 'transfer', 'decode']),
    draining: fc.boolean().map((b) => b && id > 'i2'),
    prefills: few,
    decodes: few,
    encodes: few,
    encodeTiles: fc.constantFrom(0, 4, 200),
    encodeWaitMs: fc.constantFrom(0, 500, 2_900, 9_000),
    // Few values: ties must happen.
    prefillWaitMs: fc.constantFrom(0, 500, 2_900, 3_100, 9_000),
    prefillWaitMeanMs: fc.constantFrom(0, 2_000, 5_000),
    prefillTokens: fc.constantFrom(0, 1_000, 50_000),
    decodeTokens: fc.constantFrom(0, 1_000, 300_000, 440_000),
    gaps: fc.record({
      count: few,
      sumMs: fc.constantFrom(0, 30, 300),
      firstCount: few,
      firstSumMs: fc.constantFrom(0, 30, 3_000),
      openMs: fc.constantFrom(0, 40, 2_000),
    }),
  }).map((changes) => instance(id, changes))

/** A cluster of 1 to 7 instances, and the same in another order. */
export const clusters = fc.integer({ min: 1, max: 7 })
  .chain((n) => fc.tuple(...Array.from({ length: n }, (_, at) => anInstance(`i${at}`))))
  .chain((instances) =>
    fc.record({
      instances: fc.constant(instances),
      shuffled: fc.shuffledSubarray(instances, { minLength: instances.length }),
      placements: few,
      owner: fc.constantFrom(undefined, ...instances.map((i) => i.id), 'gone'),
      planned: fc.constantFrom(undefined, ...instances.map((i) => i.id), 'gone'),
      promptTokens: fc.constantFrom(1, 1_000, 60_000),
    })
  )
