import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryBus } from '../../../runtime/bus/memory.ts'
import { MemoryServer } from '../../../runtime/bus/memory-server.ts'
import { type Accuracy, AccuracyKeeper, accuracyOf, type AccuracyValue, type Tally, tallied } from '../../../runtime/pool/accuracy.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'

const pair = fc.record({ predicted: fc.double({ min: 0, max: 5_000, noNaN: true }), actual: fc.double({ min: 1, max: 1_000, noNaN: true }) })
const add = (pairs: { predicted: number; actual: number }[]): Tally | undefined =>
  pairs.reduce<Tally | undefined>((tally, { predicted, actual }) => tallied(tally, predicted, actual), undefined)

describe('accuracyOf()', () => {
  test('quantiles are those of the errors, to within a class', () => {
    fc.assert(fc.property(fc.array(pair, { minLength: 1, maxLength: 200 }), (pairs) => {
      const { count, p50, p90, bias } = accuracyOf(JSON.parse(JSON.stringify(add(pairs))) as Tally)
      const errors = pairs.map(({ predicted, actual }) => Math.abs(predicted - actual) / actual).sort((a, b) => a - b)
      expect(count).toBe(pairs.length)
      expect(bias).toBeCloseTo(pairs.reduce((sum, { predicted, actual }) => sum + (predicted - actual) / actual, 0) / pairs.length, 9)
      for (const [share, value] of [[0.5, p50], [0.9, p90]] as const) {
        const exact = errors[Math.ceil(share * errors.length) - 1]!
        if (exact > 170) continue
        expect(value).toBeGreaterThanOrEqual(exact * 0.999)
        expect(value).toBeLessThanOrEqual(Math.max(0.0051, exact * 1.101))
      }
    }))
  })

  test('an actual of no time is left out', () => {
    expect(tallied(undefined, 5, 0).count).toBe(0)
  })
})

test('AccuracyKeeper goes on, after a restart, with what was kept', async () => {
  const clock = new VirtualClock()
  const bus = memoryBus(new MemoryServer(clock), { name: 'a', clock })
  const run = async <T>(work: Promise<T>): Promise<T> => {
    let result: { value: T } | undefined
    void work.then((value) => (result = { value }))
    await clock.runUntil(() => result !== undefined, 10_000)
    return result!.value
  }
  let read: Accuracy | undefined
  for (const life of [1, 2, 3]) {
    const keeper = new AccuracyKeeper(bus, 'i1')
    await run(keeper.load())
    keeper.note('prefill', 12, 10)
    await run(keeper.save())
    const kept = (await run(bus.bucket('volley_predictions').get('i1')))!.json<AccuracyValue>()
    read = accuracyOf(kept['prefill']!)
    expect(read.count).toBe(life)
  }
  expect(read).toMatchObject({ bias: expect.closeTo(0.2), meanPredictedMs: 12, meanActualMs: 10 })
})
