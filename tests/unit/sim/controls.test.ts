import { describe, expect, test } from 'vitest'
import { arrowV1 } from '../../../runtime/policy/arrow-v1.ts'
import { arrowV2 } from '../../../runtime/policy/arrow-v2.ts'
import { type Policy } from '../../../runtime/policy/mod.ts'
import { keeps, PackedTrace, readTrace, Simulation } from '../../../runtime/sim/mod.ts'
import { sharedData } from '../../helpers/model-files.ts'
import { fixed, goodput, named, observe, restless, setUp, SLO, split, synthetic } from './helpers.ts'

// Segments of 1000 s: a third of what docs/results.md uses, long enough for phases to outlast the TTFT. 5P3D is the best
// split, as a wider sweep shows there.
const inverting = synthetic('inverting-a:1000')
const best = goodput(fixed(5), inverting, 6, 12)

describe('negative controls: what must vanish, vanishes', () => {
  test('(0) with everything on, elastic beats every split on inverting phases', () => {
    for (const name of ['arrow-v1', 'arrow-v2']) expect(keeps(named(name), inverting, 1.15 * best), name).toBe(true)
    for (const prefill of [4, 6]) expect(keeps(fixed(prefill), inverting, 1.02 * best)).toBe(false)
  })

  test('(i) with flips disabled it is 4P4D', () => {
    const still = goodput(fixed(4), inverting, 4, 12)
    for (
      const policy of [arrowV1({ flips: false, loads: 'plain' }), arrowV2({ flips: false, loads: 'plain' })] as Policy[]
    ) {
      expect(keeps(setUp({ policy }), inverting, 0.95 * still), policy.name).toBe(true)
      expect(keeps(setUp({ policy }), inverting, 1.05 * still), policy.name).toBe(false)
      expect(observe(setUp({ policy }), inverting, 2 * still).flips, policy.name).toEqual([])
    }
  })

  test('(ii) a restart of 60 to 180 s a flip loses to the best split', () => {
    for (const restartMs of [60_000, 180_000]) {
      for (const name of ['arrow-v1', 'arrow-v2']) {
        expect(keeps(named(name, 'plain', { restartMs }), inverting, best), name).toBe(false)
      }
    }
  })

  test('(iii) on a stationary load it gains at most 5 %', () => {
    const mix = synthetic('stationary:750')
    const bestOfMix = Math.max(...[4, 5, 6].map((p) => goodput(fixed(p), mix, 10, 20)))
    for (const loads of ['plain', 'corrected'] as const) {
      expect(keeps(named('arrow-v2', loads), mix, 1.05 * bestOfMix), loads).toBe(false)
      expect(keeps(named('arrow-v2', loads), mix, 0.9 * bestOfMix), loads).toBe(true)
    }
  })

  test('(iv) flips cluster within ten cooldowns of the edges of phases, and between them there are none', () => {
    const rate = 9
    const { flips } = observe(setUp(), synthetic('inverting-a:3000'), rate)
    const edges = [0, 1, 2, 3, 4].map((n) => n * 3_000_000 / rate)
    const late = flips.filter(({ atMs }) => !edges.some((edge) => atMs >= edge && atMs - edge <= 100_000))
    expect(flips.length).toBeGreaterThanOrEqual(6)
    expect(late).toEqual([])
  })

  test('(v) a request that decodes where it was prefilled moves nothing, every other one all of its prompt', () => {
    let home = 0
    let away = 0
    const policy = { ...restless, onFirstToken: arrowV1({ flips: false }).onFirstToken }
    observe(
      setUp({
        policy,
        onDone: ({ prefiller, target, movedBytes, input, output }) => {
          if (output === 1) return
          expect(movedBytes).toBe(prefiller === target ? 0 : input * 131_072)
          if (prefiller === target) home++
          else away++
        },
      }),
      inverting,
      3,
    )
    expect(home).toBeGreaterThan(100)
    expect(away).toBeGreaterThan(1_000)
  })

  test('(vi) a predictor that says 0 loses the gain and parks at 1P7D', () => {
    const { profile } = setUp()
    const blind = setUp({ believed: { ...profile, baseMs: 0, perTokenMs: 0, perPairMs: 0 } })
    expect(keeps(blind, inverting, 0.5 * best)).toBe(false)
    const { simulation } = observe(blind, inverting, 6)
    expect(simulation.instances.filter((i) => i.label === 'prefill')).toHaveLength(1)
  })

  test('(viii) no cooldown means more flips for next to nothing', () => {
    const free = setUp({ policy: arrowV2({ cooldownMs: 0, loads: 'plain' }) as Policy })
    const gated = goodput(setUp(), inverting, best, 16)
    expect(keeps(free, inverting, 1.03 * gated)).toBe(false)
    expect(observe(free, inverting, gated).flips.length).toBeGreaterThan(
      observe(setUp(), inverting, gated).flips.length,
    )
  })

  test('(ix) a loose SLO and memory to spare mean no flips at all', () => {
    for (const name of ['arrow-v1', 'arrow-v2']) {
      for (const loads of ['plain', 'corrected'] as const) {
        expect(observe(named(name, loads, { slo: { ttftMs: 1e6, tpotMs: 1e6 } }), inverting, 4).flips, name).toEqual([])
      }
    }
  })

  test('(x) a flip cancels nothing and moves nothing: what an instance had, it ends', () => {
    /** Where the policy put each, and who was somewhere when that got another label. */
    const placed = new Map<string, (string | undefined)[]>()
    const there = new Set<number>()
    let checked = 0
    const policy: Policy = {
      ...restless,
      onArrival: (view, request, state) => {
        const decision = restless.onArrival(view, request, state)
        placed.set(request.id, [decision.instance])
        return decision
      },
      onFirstToken: (view, request, state) => {
        const decision = restless.onFirstToken(view, request, state)
        placed.get(request.id)!.push(decision.instance)
        return decision
      },
    }
    const simulation: Simulation = new Simulation(setUp({
      policy,
      onFlip: ({ instance: id }) => {
        const { queue, inbox, staying, entering } = simulation.instances.find((i) => i.id === id)!
        for (const request of [...queue, ...inbox, ...staying, ...entering]) there.add(request.id)
      },
      onDone: ({ id, prefiller, target }) => {
        if (there.has(id)) checked++
        expect([prefiller?.id, ...(target ? [target.id] : [])]).toEqual(placed.get(String(id)))
      },
    }))
    for (let at = 0; at < inverting.length; at++) {
      simulation.offer(inverting.atMs[at]! / 3, inverting.input[at]!, inverting.output[at]!)
    }
    expect(simulation.finish()).toMatchObject({ finished: inverting.length, failed: 0, rejected: 0 })
    expect(checked).toBeGreaterThan(100)
  })
})

const conversation = sharedData('traces/azure_llm_2023_conv.csv.gz')

describe.skipIf(conversation === undefined)('on the conversation trace', () => {
  test('(vii) without the decode load guard, requests that wait over a second for their second token rise tenfold', async () => {
    const trace = await PackedTrace.read(readTrace(conversation!))
    const waits = (guard: boolean) => {
      let late = 0
      observe(
        setUp({
          policy: arrowV2({ guard, loads: 'plain' }) as Policy,
          slo: { ...SLO, ttftMs: 2_000 },
          labels: split(4),
          onDone: ({ firstMs, secondMs }) => void (secondMs - firstMs > 1_000 && late++),
        }),
        trace,
        12.5,
      )
      return late
    }
    const [on, off] = [waits(true), waits(false)]
    console.log(`waits over 1 s for the second token at 12.5 times the speed: ${on} with the guard, ${off} without`)
    expect(off).toBeGreaterThan(5 * on)
  })
})
