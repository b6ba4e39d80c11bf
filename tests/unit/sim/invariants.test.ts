import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { policyNames, policyOf } from '../../../runtime/policy/mod.ts'
import { type Arrival, type Batching, PackedTrace, type SimOptions, simulate } from '../../../runtime/sim/mod.ts'
import { observe, restless, setUp, split } from './helpers.ts'

const policies = [restless, ...policyNames.flatMap((name) => [policyOf(name, 'plain'), policyOf(name, 'corrected')])]
/** So little memory that a few requests fill it. */
const TIGHT = 4_000
const { profile } = setUp()

const batching = fc.constantFrom<Batching>('prefill-first', { chunkTokens: 64 }, { chunkTokens: 2_048 })
const load = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 0, max: 400 }),
    input: fc.integer({ min: 1, max: 2_500 }),
    output: fc.integer({ min: 1, max: 1_800 }),
  }),
  { minLength: 1, maxLength: 120 },
).map((rows) => {
  let atMs = 0
  return rows.map(({ pauseMs, input, output }): Arrival => ({ atMs: atMs += pauseMs, input, output }))
})
const anyRun = fc.record({
  load,
  batching,
  policy: fc.constantFrom(...policies),
  instances: fc.integer({ min: 2, max: 5 }),
  kvTokens: fc.constantFrom(TIGHT, 450_000),
  restartMs: fc.constantFrom(0, 3_000),
  looseSlo: fc.boolean(),
})

function optionsOf(
  { batching, policy, instances, kvTokens, restartMs, looseSlo }: Omit<
    typeof anyRun extends fc.Arbitrary<infer T> ? T : never,
    'load'
  >,
): SimOptions {
  const slo = looseSlo ? { ttftMs: 1e9, tpotMs: 1e9 } : { ttftMs: 300, tpotMs: 20 }
  return setUp({
    policy,
    batching,
    restartMs,
    slo,
    profile: { ...profile, kvTokens },
    labels: split(Math.ceil(instances / 2), instances),
    tailMs: 1e9,
  })
}

describe('whatever the load, the policy and the memory', () => {
  test('(xi) tokens and KV conserve, and nothing waits for ever', () => {
    let preempted = 0
    fc.assert(
      fc.property(anyRun, ({ load: rows, ...about }) => {
        let tokens = 0
        let moved = 0
        const { result, simulation } = observe({
          ...optionsOf(about),
          onDone: ({ output, movedBytes, firstMs, arrivedMs }) => {
            tokens += output
            moved += movedBytes
            expect(firstMs).toBeGreaterThan(arrivedMs)
          },
        }, new PackedTrace(rows))
        const tooLong = rows.filter(({ input, output }) => input + output > about.kvTokens)
        expect(result).toMatchObject({ offered: rows.length, rejected: tooLong.length })
        expect(result.finished + result.rejected + result.failed).toBe(rows.length)
        // Only who lost its KV several times has failed; all others are done.
        expect(result.failed * 2).toBeLessThanOrEqual(result.preempted)
        if (result.failed === 0) {
          expect(tokens).toBe(rows.reduce((sum, r) => sum + (tooLong.includes(r) ? 0 : r.output), 0))
        }
        expect(result.transferredBytes).toBe(moved)
        for (const i of simulation.instances) {
          expect([
            i.kvUsed,
            i.prefillTokens,
            i.prefills,
            i.down ? 0 : i.prefillWaitMs,
            i.decodes,
            i.decodeTokens,
            i.runningTokens,
            i.running.size,
          ])
            .toEqual([0, 0, 0, 0, 0, 0, 0, 0])
          expect(i.queue.size + i.inbox.size + i.staying.size + i.entering.size).toBe(0)
        }
        preempted += result.preempted
      }),
      { numRuns: 400, seed: 7 },
    )
    expect(preempted, 'deadlocks must have been among them').toBeGreaterThan(0)
  })

  test('a run repeats to the last digit', () => {
    fc.assert(
      fc.property(anyRun, ({ load: rows, ...about }) => {
        const trace = new PackedTrace(rows)
        expect(JSON.stringify(simulate(optionsOf(about), trace))).toBe(
          JSON.stringify(simulate(optionsOf(about), trace)),
        )
      }),
      { numRuns: 50 },
    )
  })
})

test('held KV that deadlocks after flips is found and broken', () => {
  // Prompts fill every instance, then each waits for room in another.
  const rows = Array.from({ length: 60 }, (_, n): Arrival => ({ atMs: n * 10, input: 1_500, output: 1_200 }))
  const options = setUp({
    policy: policyOf('round-robin'),
    profile: { ...profile, kvTokens: TIGHT },
    labels: split(1, 3),
    tailMs: 1e7,
  })
  const { result } = observe(options, new PackedTrace(rows))
  expect(result.preempted).toBeGreaterThan(0)
  expect(result.finished + result.failed).toBe(60)
  expect(result.finished).toBeGreaterThan(50)
})

describe('the clockwork, by hand', () => {
  const one = {
    baseMs: 10,
    perTokenMs: 1,
    perPairMs: 0.001,
    perResidentMs: 0.01,
    perSequenceMs: 0.5,
    kvTokens: 1_000,
    kvBytesPerToken: 50e6,
    name: 'one',
  }
  const run = (rows: Arrival[], changes: Partial<SimOptions> = {}) => {
    const times: [number, number, number][] = []
    const onDone: SimOptions['onDone'] = ({ id, firstMs }, nowMs) => void times.push([id, firstMs, nowMs])
    observe(
      setUp({ policy: policyOf('static'), profile: one, labels: split(1, 2), onDone, ...changes }),
      new PackedTrace(rows),
    )
    return times
  }

  test('one request: prefill, transfer, decode', () => {
    // Prefill 10 + 100 + 0.001 x 100²; transfer 100 x 50e6 B / 50e6 B/ms + 2; decodes with 101 and 102 tokens resident.
    const first = 120
    const last = first + 102 + (10 + 1.01 + 0.5) + (10 + 1.02 + 0.5)
    expect(run([{ atMs: 0, input: 100, output: 3 }])).toEqual([[0, first, expect.closeTo(last, 9)]])
  })

  test('one token: done with the prefill', () => {
    expect(run([{ atMs: 5, input: 100, output: 1 }])).toEqual([[0, 125, 125]])
  })

  test('decode at home moves nothing; the next prompt shares its iterations in chunks', () => {
    const times = run([{ atMs: 0, input: 100, output: 3 }, { atMs: 121, input: 30, output: 1 }], {
      policy: policyOf('colocated'),
      labels: [undefined],
      batching: { chunkTokens: 20 },
    })
    const second = 120 + 11.51
    const third = second + 10 + 20 + 0.001 * 400 + 1.02 + 0.5
    const rest = third + 10 + 10 + 0.001 * (900 - 400)
    expect(times).toEqual([[0, 120, expect.closeTo(third, 9)], [1, expect.closeTo(rest, 9), expect.closeTo(rest, 9)]])
  })

  test('a receiver pulls one at a time, and only into room for the whole answer', () => {
    const times = run([{ atMs: 0, input: 100, output: 500 }, { atMs: 0, input: 100, output: 500 }])
    const [first, second] = times
    expect(first!.slice(0, 2)).toEqual([0, 120])
    expect(second![1]).toBe(240)
    // The second is pulled when the first has left: 100 + 2 ms of transfer, then 499 iterations.
    const decode = (10 + 0.5) * 499 + 0.01 * (101 + 599) * 499 / 2
    expect(first![2]).toBeCloseTo(120 + 102 + decode, 6)
    expect(second![2]).toBeCloseTo(first![2] + 102 + decode, 6)
  })
})
