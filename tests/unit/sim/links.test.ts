import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { policyOf } from '../../../runtime/policy/mod.ts'
import { PackedTrace, type SimOptions } from '../../../runtime/sim/mod.ts'
import { type Flow, Links } from '../../../runtime/sim/links.ts'
import { observe, setUp, split } from './helpers.ts'

/** Ends of flows `[from, to, bytes, startMs]` on links of 10 bytes/ms, in order of their start. */
function ends(flows: readonly (readonly [number, number, number, number])[]): number[] {
  const links = new Links(10)
  const at = new Map<Flow, number>()
  const out = flows.map(() => NaN)
  const until = (nowMs: number) => {
    while (links.nextMs < Infinity && links.nextMs <= nowMs) {
      const { nextMs } = links
      for (const flow of links.ended(nextMs)) out[at.get(flow)!] = nextMs
    }
  }
  for (const [n, [from, to, bytes, startMs]] of flows.entries()) {
    until(startMs)
    at.set(links.start(from, to, bytes, startMs), n)
  }
  until(Infinity)
  return out
}

describe('links are shared fairly', () => {
  test('one flow has all of it', () => {
    expect(ends([[0, 1, 100, 5]])).toEqual([15])
  })

  test('two from one sender, or to one receiver, take twice as long', () => {
    expect(ends([[0, 1, 100, 0], [0, 2, 100, 0]])).toEqual([20, 20])
    expect(ends([[0, 2, 100, 0], [1, 2, 100, 0]])).toEqual([20, 20])
    expect(ends([[0, 1, 100, 0], [2, 3, 100, 0]]), 'others are not concerned').toEqual([10, 10])
    expect(ends([[0, 1, 100, 0], [1, 0, 100, 0]]), 'out and in are two links').toEqual([10, 10])
  })

  test('whoever comes later shares from then on, and what is left is faster when one has ended', () => {
    expect(ends([[0, 1, 100, 0], [0, 2, 100, 5]])).toEqual([15, 20])
  })

  test('what a flow cannot use, because its other end is full, goes to the others', () => {
    // Three into host 9 get a third each; the fourth, out of host 0 as the first, gets the two thirds left.
    const [a, b, c, d] = ends([[0, 9, 100, 0], [1, 9, 100, 0], [2, 9, 100, 0], [0, 8, 100, 0]])
    expect([a, b, c]).toEqual([30, 30, 30].map((ms) => expect.closeTo(ms, 9)))
    expect(d).toBeCloseTo(15, 9)
  })

  test('whatever flows there are: all end, no link carries more than it can, the longest ends no later than in turn', () => {
    const flow = fc.tuple(fc.nat(3), fc.integer({ min: 4, max: 7 }), fc.integer({ min: 1, max: 1_000 }), fc.nat(50))
    fc.assert(fc.property(fc.array(flow, { minLength: 1, maxLength: 12 }), (flows) => {
      const sorted = flows.sort((a, b) => a[3] - b[3])
      const out = ends(sorted)
      for (const [n, [, , bytes, startMs]] of sorted.entries()) {
        expect(out[n]).toBeGreaterThanOrEqual(startMs + bytes / 10 - 1e-6)
      }
      const total = sorted.reduce((sum, [, , bytes]) => sum + bytes, 0)
      expect(Math.max(...out)).toBeLessThanOrEqual(50 + total / 10 + 1e-6)
      for (const end of [0, 1, 2, 3]) {
        const mine = sorted.filter(([from]) => from === end)
        if (mine.length === 0) continue
        const last = Math.max(...sorted.flatMap(([from], n) => (from === end ? [out[n]!] : [])))
        const first = Math.min(...mine.map(([, , , startMs]) => startMs))
        expect((last - first) * 10).toBeGreaterThanOrEqual(mine.reduce((sum, [, , bytes]) => sum + bytes, 0) - 1e-6)
      }
    }))
  })
})

describe('transfers in a simulation', () => {
  const { profile } = setUp()
  /** First to second token of requests that all are prefilled on one instance and decoded on others. */
  function waits(requests: number, changes: Partial<SimOptions> = {}) {
    const out: number[] = []
    const rows = Array.from({ length: requests }, () => ({ atMs: 0, input: 8_000, output: 2 }))
    const { result } = observe(
      setUp({
        policy: policyOf('static'),
        labels: split(1, 4),
        // So fast that prompts are prefilled in one iteration, at one time.
        profile: { ...profile, baseMs: 1, perTokenMs: 0, perPairMs: 0, perResidentMs: 0, perSequenceMs: 0 },
        batching: 'prefill-first',
        onDone: ({ firstMs, secondMs }) => void out.push(secondMs - firstMs - 1),
        ...changes,
      }),
      new PackedTrace(rows),
    )
    return { out, result }
  }
  const bytes = 8_000 * profile.kvBytesPerToken
  /** 100 gigabits/s. */
  const linkBytesPerMs = 12.5e6

  test('one alone takes its bytes over its rate; two out of one instance at once take twice as long', () => {
    const alone = bytes / linkBytesPerMs
    expect(waits(1, { linkBytesPerMs }).out).toEqual([expect.closeTo(alone + 2, 6)])
    // The first keeps the others together: they are prefilled in one iteration.
    const rows = [1, 2, 2].map((output) => ({ atMs: 0, input: 4_000, output }))
    const times: number[] = []
    observe(
      setUp({
        policy: policyOf('static'),
        labels: split(1, 3),
        profile: { ...profile, baseMs: 1, perTokenMs: 0, perPairMs: 0, perResidentMs: 0, perSequenceMs: 0 },
        linkBytesPerMs,
        onDone: ({ firstMs, secondMs, output }) => void (output > 1 && times.push(secondMs - firstMs - 1)),
      }),
      new PackedTrace(rows),
    )
    // They go to two receivers.
    expect(times).toEqual([2 * (alone / 2) + 2, 2 * (alone / 2) + 2].map((ms) => expect.closeTo(ms, 6)))
  })

  test('unless links are shared, each receiver has a link of its own', () => {
    expect(waits(1).out).toEqual([expect.closeTo(bytes / 50e6 + 2, 6)])
  })

  test('a decode where the prompt was prefilled moves 0 bytes over shared links, too', () => {
    const { result } = waits(20, { policy: policyOf('arrow-v2'), labels: [undefined, undefined], linkBytesPerMs })
    expect(result).toMatchObject({ finished: 20, transferredBytes: 0 })
  })
})
