import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arrowV1 } from '../../../runtime/policy/arrow-v1.ts'
import { arrowV2, type ArrowV2State } from '../../../runtime/policy/arrow-v2.ts'
import {
  type ClusterView,
  type InstanceView,
  type LabelChange,
  LABELS,
  PHASES,
  place,
  type Policy,
  policyNames,
  policyOf,
  type PolicyState,
} from '../../../runtime/policy/mod.ts'
import { clusters, request, view } from './views.ts'

const all: Policy[] = policyNames.flatMap((name) => [policyOf(name, 'plain'), policyOf(name, 'corrected')])
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze)
  return value
}

/** States that differ in everything a policy remembers. */
const states: PolicyState[] = freeze([
  { flippedMs: -1e15, asked: 0, decodeLoad: 0 },
  { flippedMs: 95_000, asked: 2, decodeLoad: 2 },
])
const ASKED = ['encode', 'prefill', 'transfer'] as const
const SLOTS = { encode: 'other', prefill: 'prefill', transfer: 'decode' } as const

/** Every decision that a policy takes on a cluster: three placements and a tick, in two states. */
function decisions(
  policy: Policy,
  cluster: ClusterView,
  about: { kvOwner: string | undefined; decodeAt: string | undefined; promptTokens: number },
) {
  return states.flatMap((state) => [
    ...ASKED.map((phase) => ({ phase, state, decision: place(policy, cluster, request(phase, about), state) })),
    { phase: 'tick' as const, state, decision: policy.onTick?.(cluster, state) },
  ])
}

function flipped(instances: readonly InstanceView[], changes: readonly LabelChange[]): InstanceView[] {
  return changes.reduce((now, c) => now.map((i) => (i.id === c.instance ? { ...i, label: c.label } : i)), [
    ...instances,
  ])
}

const size = (instances: readonly InstanceView[], label: string) =>
  instances.filter((i) => i.label?.includes(label) && !i.draining).length

const property = (
  check: (made: ReturnType<typeof decisions>, cluster: ClusterView, policy: Policy) => void,
  policies = all,
) =>
  fc.assert(
    fc.property(
      clusters,
      fc.nat(policies.length - 1),
      ({ instances, placements, owner, planned, promptTokens }, which) => {
        const cluster = freeze(view(instances, { placements }))
        check(
          decisions(policies[which]!, cluster, { kvOwner: owner, decodeAt: planned, promptTokens }),
          cluster,
          policies[which]!,
        )
      },
    ),
    { numRuns: 2_000 },
  )

describe('every policy', () => {
  test('places on nobody who is gone, full, draining or without an actor for the phase', () => {
    property((made, { instances }) => {
      for (const { phase, decision } of made) {
        if (
          phase === 'tick' || decision === undefined || !('instance' in decision) || decision.instance === undefined
        ) continue
        const chosen = instances.find((i) => i.id === decision.instance)
        expect(chosen, decision.instance).toBeDefined()
        expect(chosen!.draining).toBe(false)
        expect(chosen!.phases).toContain(phase)
        expect(chosen!.freeSlots[SLOTS[phase]]).toBeGreaterThan(0)
      }
    })
  })

  test('never empties the pool of a phase, and flips only who has another label', () => {
    property((made, { instances }) => {
      for (const { decision } of made) {
        const changes = decision?.labels ?? []
        const after = flipped(instances, changes)
        for (const { instance, label } of changes) {
          const before = instances.find((i) => i.id === instance)!
          expect([before.draining, before.label], 'only who has one changes its label').not.toContain(undefined)
          expect(before.label).not.toBe(label)
          expect(LABELS).toContain(label)
        }
        for (const phase of PHASES) {
          if (size(instances, phase) > 0) expect(size(after, phase), phase).toBeGreaterThan(0)
        }
      }
    })
  })

  test('decides the same whatever the order of the instances', () => {
    fc.assert(
      fc.property(
        clusters,
        fc.nat(all.length - 1),
        ({ instances, shuffled, placements, owner, planned, promptTokens }, which) => {
          const about = { kvOwner: owner, decodeAt: planned, promptTokens }
          const policy = all[which]!
          const ids = (made: ReturnType<typeof decisions>) =>
            made.map(({ decision }) => decision && { ...decision, scores: 0, reason: 0 })
          expect(ids(decisions(policy, view(shuffled, { placements }), about)))
            .toEqual(ids(decisions(policy, view(instances, { placements }), about)))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('keeps nothing between calls: the same view and state give the same answer, and neither is changed', () => {
    fc.assert(fc.property(clusters, fc.nat(all.length - 1), ({ instances, owner, promptTokens }, which) => {
      const about = { kvOwner: owner, decodeAt: undefined, promptTokens }
      const cluster = freeze(view(instances))
      const first = decisions(all[which]!, cluster, about)
      expect(decisions(all[which]!, cluster, about)).toEqual(first)
    }))
  })
})

describe('dwell and cooldown', () => {
  test('no label that is younger than its dwell changes', () => {
    const dwellMs = 10_000
    property((made, { instances, nowMs }) => {
      for (const { instance } of made.flatMap(({ decision }) => decision?.labels ?? [])) {
        expect(nowMs - instances.find((i) => i.id === instance)!.labelSinceMs).toBeGreaterThanOrEqual(dwellMs)
      }
    }, [arrowV1({ dwellMs }), arrowV2({ dwellMs }), arrowV2({ dwellMs, loads: 'plain' })])
  })

  test('within the cooldown arrow-v2 gives nobody to decode alone, but still takes from it', () => {
    const seen = new Set<string>()
    property((made, { instances, nowMs }) => {
      for (const { state, decision } of made) {
        for (const { instance, label } of decision?.labels ?? []) {
          const before = instances.find((i) => i.id === instance)!.label!
          const gains = PHASES.filter((phase) => label.includes(phase) && !before.includes(phase))
          const cold = nowMs - (state as ArrowV2State).flippedMs < 10_000
          if (!cold) continue
          if (before === 'decode') seen.add('taken')
          // To a pool of prefill+decode it may come for the sake of prefill.
          expect(gains.join()).not.toBe('decode')
        }
      }
    }, [arrowV2(), arrowV2({ guard: false })])
    expect([...seen]).toEqual(['taken'])
  })

  test('with flips off no label changes', () => {
    property((made) => {
      expect(made.flatMap(({ decision }) => decision?.labels ?? [])).toEqual([])
    }, [arrowV1({ flips: false }), arrowV2({ flips: false })])
  })
})
