/** What a policy is told and what comes of a run, by hand: iterations of 10 ms, transfers of 2. */
import { describe, expect, test } from 'vitest'
import { type Policy, policyOf } from '../../../runtime/policy/mod.ts'
import { type Arrival, keeps, PackedTrace, readFault, SimInstance, type SimOptions, simulate } from '../../../runtime/sim/mod.ts'
import { victims } from '../../../runtime/sim/deadlock.ts'
import { llmStart } from '../../../runtime/sim/chart.ts'
import { newRequest } from '../../../runtime/sim/instance.ts'
import { observe, setUp, split } from './helpers.ts'

const TEN = {
  name: 'ten', baseMs: 10, perTokenMs: 0, perPairMs: 0, perResidentMs: 0, perSequenceMs: 0, kvTokens: 10_000, kvBytesPerToken: 0,
}
const prompt = (atMs: number, input: number, output: number): Arrival => ({ atMs, input, output })

/** A run, and of each request its first and its last token's time. */
function run(rows: Arrival[], changes: Partial<SimOptions> = {}) {
  const times: Record<number, [number, number]> = {}
  const onDone: SimOptions['onDone'] = ({ id, firstMs }, nowMs) => void (times[id] = [firstMs, nowMs])
  const options = setUp({ policy: policyOf('static'), profile: TEN, labels: split(1, 2), onDone, ...changes })
  return { times, ...observe(options, new PackedTrace(rows)) }
}

/** A policy, and what its tick does besides. */
const ticking = (name: string, onTick: Policy['onTick'] & object): Policy => ({ ...policyOf(name), onTick })
const alone = { policy: policyOf('colocated'), labels: [undefined] }

describe('a flip', () => {
  /** Labels one instance `prefill+decode` at every tick. */
  const relabel = (instance: string, name = 'static') =>
    ticking(name, (_, state) => ({ labels: [{ instance, label: 'prefill+decode', reason: '' }], state }))

  test('is one only where the label is another, and the label knows since when', () => {
    const { result, simulation } = run([prompt(0, 1, 1), prompt(3_500, 1, 1)], { policy: relabel('i0') })
    expect([result.flips, simulation.instances[0]!.labelSinceMs]).toEqual([1, 1_000])
  })

  test('that costs a restart: nothing is computed while it lasts, and the wait tells', () => {
    const seen: number[] = []
    const base = relabel('i0', 'colocated')
    const policy: Policy = {
      ...base,
      onArrival: (view, request, state) => {
        seen.push(view.instances[0]!.prefillWaitMs)
        return base.onArrival(view, request, state)
      },
    }
    const { times } = run([prompt(1_100, 1, 1)], { policy, labels: [undefined], restartMs: 500 })
    expect([times, seen]).toEqual([{ 0: [1_510, 1_510] }, [400]])
  })

  test('that costs a restart: nothing is pulled while it lasts', () => {
    const { times } = run([prompt(1_100, 1, 2)], { policy: relabel('i1'), restartMs: 500 })
    expect(times).toEqual({ 0: [1_110, 1_500 + 2 + 10] })
  })
})

describe('an iteration', () => {
  test('has at most 256 decodes', () => {
    const { times } = run(Array.from({ length: 300 }, () => prompt(0, 1, 2)), { ...alone, batching: 'prefill-first' })
    const ends = Object.values(times).map(([, last]) => last)
    expect([ends.filter((ms) => ms === 30).length, ends.filter((ms) => ms === 40).length]).toEqual([256, 44])
  })

  test('begins no request above as many as the engine takes at once', () => {
    const { times } = run([prompt(0, 1, 3), prompt(0, 1, 3)], { ...alone, maxSequences: 1 })
    expect(times).toEqual({ 0: [10, 30], 1: [40, 60] })
  })

  test('where KV grows, the youngest gives way', () => {
    const { times, result } = run([prompt(0, 10, 15), prompt(0, 10, 15)], {
      ...alone, kv: 'growing', profile: { ...TEN, kvTokens: 30 },
    })
    expect(result.preempted).toBe(1)
    expect(times[0]![1]).toBeLessThan(times[1]![1])
  })
})

describe('a policy is told', () => {
  test('the pauses of the interval, the first one apart, and the one that is open', () => {
    const seen: unknown[] = []
    const policy = ticking('static', ({ instances }, state) => {
      seen.push(instances[1]!.gaps)
      return { labels: [], state }
    })
    run([prompt(0, 1, 200)], { policy })
    // Tokens at 10, at 22 (moved in 2 ms), then every 10 ms: the last before 1000 at 992.
    expect(seen[0]).toEqual({ count: 97, sumMs: 970, firstCount: 1, firstSumMs: 12, openMs: 8 })
  })

  test('the wait for prefill now, and its mean over the interval', () => {
    const seen: number[][] = []
    const policy = ticking('static', ({ instances }, state) => {
      seen.push([instances[0]!.prefillWaitMs, instances[0]!.prefillWaitMeanMs])
      return { labels: [], state }
    })
    run([prompt(500, 390, 1), prompt(1_500, 1, 1)], { policy, profile: { ...TEN, perTokenMs: 1 } })
    expect(seen[0]).toEqual([0, 400 * 400 / 1_000])
  })

  test('how long a request has waited', () => {
    const seen: unknown[] = []
    const policy: Policy = {
      ...policyOf('colocated'),
      onArrival: (view, request, state) => {
        seen.push(request.waitedMs)
        return view.nowMs < 1_000 ? { instance: undefined, scores: {}, reason: 'not yet' } : policyOf('colocated').onArrival(view, request, state)
      },
    }
    run([prompt(400, 1, 1)], { policy, labels: [undefined] })
    expect(seen).toEqual([0, 600])
  })

  test('of a dead instance for as long as its presence lasts, by the tick alone', () => {
    const seen: number[] = []
    const policy = ticking('static', ({ instances }, state) => {
      seen.push(instances.length)
      return { labels: [], state }
    })
    run([prompt(0, 1, 600)], { policy, labels: split(1, 3), faults: [readFault('death:i2:1500')] })
    expect(seen.slice(0, 6)).toEqual([3, 3, 3, 3, 2, 2])
  })
})

describe('what is counted', () => {
  test('TPOT is over the tokens after the first, attainment over all that were offered', () => {
    const attainment = (tpotMs: number, ...more: Arrival[]) =>
      run([prompt(0, 1, 3), ...more], { slo: { ttftMs: 1_000, tpotMs } }).result.attainment
    // Second token 12 ms after the first, third 10 after that.
    expect([attainment(11), attainment(10.9)]).toEqual([1, 0])
    expect(attainment(11, prompt(1, 20_000, 1)), 'refused, for want of memory').toBe(0.5)
  })

  test('who is late twice has missed once', () => {
    const { simulation } = run([prompt(0, 1, 3)], { slo: { ttftMs: 1, tpotMs: 1 } })
    expect(simulation.outcomes.missed).toBe(1)
  })

  test('a rate with exactly nine tenths inside the SLOs is kept, whenever the others missed', () => {
    for (const late of [0, 9]) {
      const rows = Array.from({ length: 10 }, (_, n) => prompt(n * 1_000, n === late ? 500 : 1, 1))
      const options = setUp({ ...alone, profile: { ...TEN, perTokenMs: 1 }, slo: { ttftMs: 100, tpotMs: 100 } })
      const trace = new PackedTrace(rows)
      expect([simulate(options, trace).attainment, keeps(options, trace, 1)], `number ${late}`).toEqual([0.9, true])
    }
  })
})

test('a deadlock is broken by the youngest, and no more of them than it takes', () => {
  const clock = { nowMs: 0 }
  const [a, b] = ['a', 'b'].map((id, index) =>
    new SimInstance({
      id, index, label: undefined, profile: { ...TEN, kvTokens: 300 }, believed: TEN, batching: 'prefill-first', maxSequences: Infinity,
      growing: false, clock,
    })) as [SimInstance, SimInstance]
  const waiting = (id: number, holder: SimInstance, target: SimInstance) => {
    const request = newRequest(id, { atMs: 0, input: 100, output: 50, images: [] }, llmStart(false))
    holder.reserve(request, 100)
    request.target = target
    target.inbox.push(request)
    return request
  }
  // Both are full of prompts that wait for room in the other.
  waiting(0, a, b)
  const held = [1, 2, 3].map((id) => waiting(id, b, a))
  waiting(4, a, b)
  waiting(5, a, b)
  expect(victims([a, b])).toEqual([held[2], held[1]])
})
