import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { policyOf } from '../../../runtime/policy/mod.ts'
import {
  type Arrival,
  type Fault,
  PackedTrace,
  readFault,
  type SimInstance,
  type SimOptions,
  simulate,
} from '../../../runtime/sim/mod.ts'
import { observe, setUp, split, synthetic } from './helpers.ts'

const fault = (text: string): Fault => readFault(text)

describe('readFault()', () => {
  test('reads what it should', () => {
    expect(fault('death:i3:60000')).toEqual({ kind: 'death', instance: 'i3', atMs: 60_000, durationMs: Infinity, factor: 2 })
    expect(fault('slow:i1:0:30000:4')).toMatchObject({ kind: 'slow', durationMs: 30_000, factor: 4 })
    expect(fault('slow:i1:0::4')).toMatchObject({ durationMs: Infinity, factor: 4 })
    expect(fault('outage:broker:5:10')).toMatchObject({ kind: 'outage', atMs: 5, durationMs: 10 })
  })

  test.each(['', 'death', 'death:i0', 'fire:i0:1', 'death:i0:x', 'death:i0:1:0', 'death:i0:1:1:2', 'outage:i0:1:2',
    'outage:broker:1', 'slow:broker:1', 'slow:i0:1:2:0', 'slow:i0:1:2:3:4'])('%j is refused', (text) => {
    expect(() => fault(text)).toThrow(/Cannot simulate the fault/)
  })

  test('an instance that is not there is named', () => {
    expect(() => simulate(setUp({ faults: [fault('death:i9:1')] }), new PackedTrace([]))).toThrow(/no instance "i9"/)
  })
})

/** Who was prefilled where, of a run of A at its own speed. */
function shares(changes: Partial<SimOptions>) {
  const prefills = new Map<string, number>()
  const { result } = observe(
    setUp({
      ...changes,
      onDone: ({ prefiller }) => void prefills.set(prefiller!.id, (prefills.get(prefiller!.id) ?? 0) + 1),
    }),
    synthetic('inverting-a:200'),
    4,
  )
  return { prefills, result }
}

describe('death', () => {
  test('under load is served again by the others, its KV prefilled again', () => {
    for (const id of ['i0', 'i5']) {
      const { result } = shares({ policy: policyOf('arrow-v2'), faults: [fault(`death:${id}:20000`)] })
      expect(result, id).toMatchObject({ offered: result.finished, failed: 0, rejected: 0 })
      expect(result.attainment).toBeGreaterThan(0.9)
    }
    const { result } = shares({ policy: policyOf('static'), faults: [fault('death:i5:70000')] })
    expect(result.refilled, 'of a decode instance').toBeGreaterThan(5)
    expect(result.failed).toBe(0)
  })

  test('one that comes back takes work again', () => {
    const rest = (faults: Fault[]) => shares({ policy: policyOf('static'), faults }).prefills.get('i0') ?? 0
    const [dead, back, never] = [rest([fault('death:i0:5000')]), rest([fault('death:i0:5000:20000')]), rest([])]
    expect(dead).toBeLessThan(back)
    expect(back).toBeLessThan(never)
  })

  test('a hop that was there comes again after the lease of 2 s, its tokens so far are not lost to the reader', () => {
    const one = { ...setUp().profile, baseMs: 10, perTokenMs: 0, perPairMs: 0, perResidentMs: 0, perSequenceMs: 0 }
    const ends: [number, number][] = []
    observe(
      setUp({
        policy: policyOf('static'),
        labels: ['prefill', 'prefill', 'decode', 'decode'],
        profile: one,
        link: { bytesPerMs: Infinity, latencyMs: 0 },
        faults: [fault('death:i2:515')],
        onDone: ({ firstMs }, nowMs) => void ends.push([firstMs, nowMs]),
      }),
      new PackedTrace([{ atMs: 0, input: 100, output: 101 }]),
    )
    // Prefilled at 10, half decoded at 515; at 2515 again: 10 of prefill, then 100 iterations.
    expect(ends).toEqual([[10, 2_515 + 10 + 1_000]])
  })

  test('of whom its decode was given to: decoded where it was prefilled, though nothing else happens there', () => {
    const { result } = observe(
      setUp({
        policy: policyOf('arrow-v1'),
        profile: { ...setUp().profile, kvTokens: 4_000 },
        labels: ['encode+prefill', 'decode', 'decode'],
        slo: { ttftMs: 300, tpotMs: 20 },
        faults: [fault('death:i2:221:37')],
      }),
      new PackedTrace([
        { atMs: 0, input: 1, output: 1 },
        { atMs: 0, input: 1, output: 2, images: [9, 2, 6] },
        { atMs: 0, input: 745, output: 1, images: [3, 7, 7] },
        { atMs: 201, input: 656, output: 2 },
      ]),
    )
    expect(result).toMatchObject({ finished: 4, failed: 0 })
  })

  test('of the last prefill instance: arrow-v2 makes another, static waits for it to come back', () => {
    const changes = { labels: split(1, 4), faults: [fault('death:i0:20000')] }
    expect(shares({ ...changes, policy: policyOf('arrow-v2') }).result.failed).toBe(0)
    expect(shares({ ...changes, policy: policyOf('static') }).result.failed).toBeGreaterThan(100)
    const back = [fault('death:i0:20000:5000')]
    expect(shares({ ...changes, faults: back, policy: policyOf('static'), tailMs: 1e6 }).result.failed).toBe(0)
  })
})

describe('a slow instance', () => {
  test('attracts less work under arrow-v2 than under round-robin', () => {
    const share = (name: string, labels: SimOptions['labels'], faults: Fault[]) => {
      const { prefills } = shares({ policy: policyOf(name), labels, faults })
      const all = [...prefills.values()].reduce((sum, n) => sum + n, 0)
      return (prefills.get('i0') ?? 0) / all
    }
    const slow = [fault('slow:i0:0::6')]
    const none: SimOptions['labels'] = Array.from({ length: 8 }, () => undefined)
    const [turns, arrow] = [share('round-robin', none, slow), share('arrow-v2', none, slow)]
    expect(arrow).toBeLessThan(0.6 * share('arrow-v2', none, []))
    expect(arrow).toBeLessThan(0.8 * turns)
  })

  test('is as fast as ever when its time is over', () => {
    const changes = { policy: policyOf('static') }
    const mean = (faults: Fault[]) => shares({ ...changes, faults }).result.ttftMs.mean!
    expect(mean([fault('slow:i0:0:30000:8')])).toBeGreaterThan(1.05 * mean([]))
    expect(mean([fault('slow:i0:0:1:8')])).toBeCloseTo(mean([]), 1)
  })
})

describe('faults of one instance at once', () => {
  const changes = { labels: [undefined], policy: policyOf('colocated'), tailMs: 1e6 }
  const one = { ...setUp().profile, baseMs: 10, perTokenMs: 0, perPairMs: 0, perResidentMs: 0, perSequenceMs: 0 }
  /** When a prompt of this time has its first token, 10 ms after it could begin if nothing is wrong. */
  const first = (atMs: number, ...faults: string[]): number => {
    let ms = NaN
    const onDone: SimOptions['onDone'] = ({ firstMs }) => void (ms = firstMs)
    observe(setUp({ ...changes, profile: one, faults: faults.map(fault), onDone }), new PackedTrace([{ atMs, input: 9, output: 1 }]))
    return ms
  }

  test('two deaths: back when both are over, in whatever order', () => {
    const deaths = ['death:i0:100:5000', 'death:i0:50:200']
    expect(first(3_000, ...deaths)).toBeGreaterThanOrEqual(5_100)
    expect(first(3_000, ...deaths.toReversed())).toBe(first(3_000, ...deaths))
    expect(first(5_100, ...deaths)).toBe(5_110)
  })

  test('slownesses multiply while they last, and end on their own', () => {
    const slow = ['slow:i0:0:1000:3', 'slow:i0:500:2000:2']
    expect([100, 600, 1_200, 2_600].map((atMs) => first(atMs, ...slow) - atMs)).toEqual([30, 60, 20, 10])
  })

  test('one that comes back is as slow as it is by then', () => {
    expect(first(2_000, 'death:i0:0:1000', 'slow:i0:500:5000:4') - 2_000).toBe(40)
  })
})

describe('an outage of the broker', () => {
  test('stops hops, not computing: what decodes goes on and is told afterwards, what arrives waits', () => {
    const one = { ...setUp().profile, baseMs: 10, perTokenMs: 0, perPairMs: 0, perResidentMs: 0, perSequenceMs: 0 }
    const times: [number, number, number][] = []
    const run = (faults: Fault[]) => {
      times.length = 0
      observe(
        setUp({
          policy: policyOf('static'),
          labels: split(1, 2),
          profile: one,
          link: { bytesPerMs: Infinity, latencyMs: 0 },
          faults,
          onDone: ({ id, firstMs }, nowMs) => void times.push([id, firstMs, nowMs]),
        }),
        new PackedTrace([{ atMs: 0, input: 100, output: 11 }, { atMs: 60, input: 100, output: 11 }]),
      )
      return times.sort((a, b) => a[0] - b[0]).map((t) => [...t])
    }
    expect(run([])).toEqual([[0, 10, 110], [1, 70, 180]])
    // From 50 to 1050: the first is decoded by 110 and told at 1050; the second begins at 1050.
    expect(run([fault('outage:broker:50:1000')])).toEqual([[0, 10, 1_050], [1, 1_060, 1_160]])
  })

  test('hops flow afterwards, and nothing is lost', () => {
    const { result } = shares({ policy: policyOf('arrow-v2'), faults: [fault('outage:broker:20000:8000')] })
    expect(result).toMatchObject({ finished: result.offered, failed: 0, refilled: 0 })
    expect(result.ttftMs.p99).toBeGreaterThan(4_000)
  })
})

describe('whatever goes wrong', () => {
  const anyFault = fc.oneof(
    fc.record({
      kind: fc.constant('death' as const),
      instance: fc.constantFrom('i0', 'i1', 'i2'),
      atMs: fc.nat(20_000),
      durationMs: fc.integer({ min: 1, max: 20_000 }),
      factor: fc.constant(1),
    }),
    fc.record({
      kind: fc.constant('slow' as const),
      instance: fc.constantFrom('i0', 'i1', 'i2'),
      atMs: fc.nat(20_000),
      durationMs: fc.integer({ min: 1, max: 20_000 }),
      factor: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({
      kind: fc.constant('outage' as const),
      instance: fc.constant('broker'),
      atMs: fc.nat(20_000),
      durationMs: fc.integer({ min: 1, max: 9_000 }),
      factor: fc.constant(1),
    }),
  )
  const load = fc.array(
    fc.record({
      pauseMs: fc.integer({ min: 0, max: 400 }),
      input: fc.integer({ min: 1, max: 2_500 }),
      output: fc.integer({ min: 1, max: 1_400 }),
      images: fc.option(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 80 },
  ).map((rows) => {
    let atMs = 0
    return rows.map(({ pauseMs, input, output, images }): Arrival => ({
      atMs: atMs += pauseMs,
      input,
      output,
      ...(images && { images }),
    }))
  })
  const about = fc.record({
    load,
    faults: fc.array(anyFault, { maxLength: 6 }),
    policy: fc.constantFrom('arrow-v1', 'arrow-v2', 'xllm', 'least-load', 'round-robin', 'single', 'colocated', 'static'),
    kvTokens: fc.constantFrom(4_000, 450_000),
    linkBytesPerMs: fc.constantFrom(undefined, 1e6),
    labelled: fc.constantFrom<SimOptions['labels']>(
      ['encode', 'prefill', 'decode'],
      ['encode+prefill', 'decode', 'decode'],
      [undefined, undefined, undefined],
    ),
    spreadImages: fc.boolean(),
  })

  test('everybody comes back, so nothing waits for ever; tokens and KV conserve, and a run repeats', () => {
    fc.assert(
      fc.property(about, ({ load: rows, policy, kvTokens, labelled, ...changes }) => {
        let tokens = 0
        const options = setUp({
          ...changes,
          policy: policyOf(policy),
          profile: { ...setUp().profile, kvTokens },
          labels: labelled,
          slo: { ttftMs: 300, tpotMs: 20 },
          tailMs: 2e6,
          onDone: ({ output }) => void (tokens += output),
        })
        const { result, simulation } = observe(options, new PackedTrace(rows))
        expect(result.finished + result.failed + result.rejected).toBe(rows.length)
        expect(result.failed * 2).toBeLessThanOrEqual(result.refilled)
        if (result.failed + result.rejected === 0) {
          expect(tokens).toBe(rows.reduce((sum, { output }) => sum + output, 0))
        }
        for (const i of simulation.instances) expect(holdings(i), i.id).toEqual(NOTHING)
        expect(JSON.stringify(simulate(options, new PackedTrace(rows)))).toBe(JSON.stringify(result))
      }),
      { numRuns: 200 },
    )
  })
})

const holdings = (i: SimInstance) => ({
  kv: i.kvUsed,
  prefill: [i.prefillTokens, i.prefills],
  encode: [i.encodeTiles, i.encodes],
  decode: [i.decodes, i.decodeTokens, i.runningTokens, i.running.size],
  queues: i.queue.size + i.inbox.size + i.staying.size + i.entering.size,
})
const NOTHING = { kv: 0, prefill: [0, 0], encode: [0, 0], decode: [0, 0, 0, 0], queues: 0 }
