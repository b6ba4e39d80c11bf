import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { policyOf } from '../../../runtime/policy/mod.ts'
import {
  loadOf,
  PackedTrace,
  profileOf,
  searchGoodput,
  simulate,
  simulateStream,
  synthesise,
  thin,
  variantsOf,
} from '../../../runtime/sim/mod.ts'
import { Fifo } from '../../../runtime/sim/fifo.ts'
import { Heap } from '../../../runtime/sim/heap.ts'
import { Histogram } from '../../../runtime/sim/histogram.ts'
import { setUp, synthetic } from './helpers.ts'

test('a heap gives by time, then rank', () => {
  fc.assert(fc.property(fc.array(fc.record({ at: fc.nat(5), rank: fc.nat(5) })), (items) => {
    const heap = new Heap()
    for (const item of items) heap.push(item)
    const out = items.map(() => heap.pop()!)
    expect(out).toEqual([...items].sort((a, b) => a.at - b.at || a.rank - b.rank))
    expect(heap.pop()).toBeUndefined()
  }))
})

test('a fifo is an array to whoever pushes, shifts and removes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(5), fc.constant('shift' as const), fc.constant('remove' as const)), { maxLength: 60 }),
      (steps) => {
        const fifo = new Fifo<number>()
        let model: number[] = []
        for (const step of steps) {
          if (step === 'shift') expect(fifo.shift()).toBe(model.shift())
          else if (step === 'remove') {
            const item = model[1] ?? -1
            fifo.remove(item)
            model = model.filter((i) => i !== item)
          } else {
            fifo.push(step)
            model.push(step)
          }
          expect([...fifo]).toEqual(model)
          expect([fifo.size, fifo.peek(), fifo.at(1)]).toEqual([model.length, model[0], model[1]])
        }
      },
    ),
  )
})

describe('Histogram', () => {
  test('quantiles are within half a percent, the mean is exact', () => {
    const histogram = new Histogram()
    for (let ms = 1; ms <= 10_000; ms++) histogram.add(ms)
    for (const p of [0.1, 0.5, 0.9, 0.99]) {
      expect(Math.abs(histogram.quantile(p) / (p * 10_000) - 1)).toBeLessThan(0.006)
    }
    expect(histogram.mean()).toBe(5_000.5)
  })

  test('zeros, and nothing at all', () => {
    const histogram = new Histogram()
    expect([histogram.mean(), histogram.quantile(0.5)]).toEqual([NaN, NaN])
    histogram.add(0)
    expect(histogram.quantile(0.5)).toBe(0)
  })
})

describe('searchGoodput()', () => {
  test('finds an edge within 1 %, and says where it fails', () => {
    fc.assert(fc.property(fc.double({ min: 0.25, max: 3_000, noNaN: true }), (edge) => {
      const { rate, failingRate } = searchGoodput((r) => r <= edge)
      expect(rate).toBeLessThanOrEqual(edge)
      expect(failingRate).toBeGreaterThan(edge)
      expect(failingRate! / rate).toBeLessThanOrEqual(1.0101)
    }))
  })

  test('0 when not even a quarter of the speed is kept; ends where nothing fails', () => {
    expect(searchGoodput(() => false)).toEqual({ rate: 0, failingRate: 0.25 })
    expect(searchGoodput(() => true)).toEqual({ rate: 2 ** 20, failingRate: null })
  })
})

describe('synthetic loads', () => {
  test('follow their recipe, and their seed', () => {
    const rows = [...synthesise(loadOf('inverting-b'), 3)].flat()
    const decode = rows.filter((r) => r.atMs >= 3e6 && r.atMs < 6e6)
    expect(Math.abs(decode.length / 18_000 - 1)).toBeLessThan(0.03)
    expect(decode.every((r) => r.input >= 200 && r.input <= 500 && r.output >= 800 && r.output <= 2_000)).toBe(true)
    expect(rows.every((r, n) => n === 0 || r.atMs >= rows[n - 1]!.atMs)).toBe(true)
    expect([...synthesise(loadOf('inverting-b'), 3)].flat()).toEqual(rows)
    expect([...synthesise(loadOf('inverting-b'), 4)].flat()).not.toEqual(rows)
  })

  test('an unknown one names those there are', () => {
    for (const name of ['foo', 'stationary:x', 'stationary:0', 'stationary:1:2']) {
      expect(() => loadOf(name), name).toThrow(/Unknown synthetic load/)
    }
  })

  test('thin() leaves out and repeats', async () => {
    const count = async (density: number) => {
      async function* rows() {
        yield* synthesise(loadOf('stationary:500'), 1)
      }
      let n = 0
      for await (const batch of thin(rows(), density, 1)) n += batch.length
      return n
    }
    const all = await count(1)
    expect(Math.abs(await count(0.25) / all / 0.25 - 1)).toBeLessThan(0.1)
    expect(Math.abs(await count(2.5) / all / 2.5 - 1)).toBeLessThan(0.05)
  })
})

test('a streamed run is the packed run', async () => {
  async function* rows() {
    yield* synthesise(loadOf('inverting-a:50'), 1)
  }
  expect(await simulateStream(setUp(), rows(), 2)).toEqual(simulate(setUp(), synthetic('inverting-a:50'), 2))
})

test('PackedTrace keeps what it is given', () => {
  const trace = new PackedTrace([{ atMs: 1.5, input: 2, output: 3 }])
  expect([trace.length, trace.atMs[0], trace.input[0], trace.output[0]]).toEqual([1, 1.5, 2, 3])
})

describe('variantsOf()', () => {
  const options = { instances: 8, loads: 'corrected' as const, batching: { chunkTokens: 2_048 } }
  const names = (name: string, changes = {}) => variantsOf(name, { ...options, ...changes }).map((v) => v.name)

  test('best-static is every split, best-colocated every way to share an iteration', () => {
    expect(names('best-static')).toEqual(['1P7D', '2P6D', '3P5D', '4P4D', '5P3D', '6P2D', '7P1D'])
    expect(names('best-colocated')).toEqual(
      ['prefill first', '512', '1024', '2048'].map((s) => `8 unlabelled, ${/\d/.test(s) ? 'chunk ' : ''}${s}`),
    )
  })

  test('labels are half and half where they matter, and as they are told', () => {
    expect(names('arrow-v2')).toEqual(['4P4D'])
    expect(names('round-robin')).toEqual(['8 unlabelled'])
    expect(names('static', { labels: { prefill: 1, decode: 6 } })).toEqual(['1P6D, 1 unlabelled'])
    expect(names('static', { instances: 1 })).toEqual(['1 unlabelled'])
  })

  test('what does not fit is refused', () => {
    expect(() => names('static', { labels: { prefill: 9 } })).toThrow(/--labels name 9 instances, there are 8/)
    expect(() => names('best-static', { instances: 1 })).toThrow(/at least 2/)
    expect(() => names('arow')).toThrow(/known are .*best-static/)
    expect(() => profileOf('9b')).toThrow(/Unknown profile/)
  })
})

test('a bare instance serves every phase alone', () => {
  const options = setUp({ policy: policyOf('static'), labels: [undefined] })
  expect(simulate(options, synthetic('inverting-a:20'))).toMatchObject({ failed: 0, transferredBytes: 0 })
})
