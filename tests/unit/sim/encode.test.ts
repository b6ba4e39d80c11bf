import { describe, expect, test } from 'vitest'
import { type Label, policyOf } from '../../../runtime/policy/mod.ts'
import {
  type Arrival,
  drawServegen,
  PackedTrace,
  readFault,
  type SimOptions,
  variantsOf,
} from '../../../runtime/sim/mod.ts'
import { sharedData } from '../../helpers/model-files.ts'
import { observe, setUp } from './helpers.ts'

/** 10 ms a model iteration, 5 ms a tile, links of no latency that move a tile's 2 MiB in 1 ms. */
const profile = {
  ...setUp().profile,
  baseMs: 10,
  perTokenMs: 0,
  perPairMs: 0,
  perResidentMs: 0,
  perSequenceMs: 0,
  perTileMs: 5,
}
const TILE_BYTES = 256 * 4_096 * 2
const link = { bytesPerMs: TILE_BYTES, latencyMs: 0 }
const E_P_D: (Label | undefined)[] = ['encode', 'prefill', 'decode']

/** `[id, first, end, who prefilled]` of every request. */
function run(rows: Arrival[], changes: Partial<SimOptions> = {}) {
  const times: [number, number, number, string][] = []
  const { result, simulation, flips } = observe(
    setUp({
      policy: policyOf('static'),
      profile: { ...profile, kvBytesPerToken: 0 },
      link,
      labels: E_P_D,
      onDone: ({ id, firstMs, prefiller }, nowMs) => void times.push([id, firstMs, nowMs, prefiller!.id]),
      ...changes,
    }),
    new PackedTrace(rows),
  )
  times.sort((a, b) => a[0] - b[0])
  return { times, result, simulation, flips }
}
const request = (images: number[], changes: Partial<Arrival> = {}): Arrival => ({
  atMs: 0,
  input: 100,
  output: 3,
  images,
  ...changes,
})

describe('encode, by hand', () => {
  test('encode, features to the prefill instance, prefill, decode', () => {
    const { times, result } = run([request([2, 1])])
    expect(times).toEqual([[0, 15 + 3 + 10, 28 + 20, 'i1']])
    expect(result.transferredBytes).toBe(3 * TILE_BYTES)
  })

  test('where one instance does it all nothing moves', () => {
    const { times, result } = run([request([2, 1])], { policy: policyOf('colocated'), labels: [undefined] })
    expect(times).toEqual([[0, 25, 45, 'i0']])
    expect(result.transferredBytes).toBe(0)
  })

  test('images of one request are encoded one after the other, or by several instances at once', () => {
    const labels: Label[] = ['encode', 'encode', 'prefill', 'decode']
    expect(run([request([4, 4])], { labels }).times[0]![1]).toBe(40 + 8 + 10)
    expect(run([request([4, 4])], { labels, spreadImages: true }).times[0]![1]).toBe(20 + 8 + 10)
  })

  test('a request without images does not wait for those of others', () => {
    const { times } = run([request([100]), { atMs: 0, input: 100, output: 1 }])
    expect(times[1]![1]).toBe(10)
    expect(times[0]![1]).toBe(500 + 100 + 10)
  })

  test('where an instance decodes, too, tiles make its iterations longer; apart they do not', () => {
    const end = (labels: SimOptions['labels']) =>
      run([{ atMs: 0, input: 100, output: 40 }, request([64], { atMs: 50 })], { labels }).times[0]![2]
    expect(end([undefined])).toBe(10 + 390 + 64 * 5)
    expect(end(['encode', 'prefill', 'decode'])).toBeCloseTo(10 + 390, 6)
  })

  test('its instance dies: encoded again elsewhere, after the lease', () => {
    const labels: Label[] = ['encode', 'encode', 'prefill', 'decode']
    const { times, result } = run([request([10])], { labels, faults: [readFault('death:i0:20')] })
    expect(times[0]![1]).toBe(20 + 2_000 + 50 + 10 + 10)
    expect(result.refilled, 'no KV is lost').toBe(0)
  })

  test('an encoder that dies before its features are fetched: they are made again', () => {
    const labels: Label[] = ['encode', 'encode', 'prefill', 'decode']
    const { times, result } = run([request([10])], { labels, faults: [readFault('death:i0:55')] })
    expect(times[0]![1]).toBe(60 + 50 + 10 + 10)
    expect(result.refilled).toBe(1)
  })

  test('KV that is lost with its instance: the chart goes back to the pictures', () => {
    const labels: Label[] = ['encode', 'prefill', 'decode', 'decode']
    const { times } = run([request([2], { output: 101 })], { labels, faults: [readFault('death:i2:522')] })
    expect(times[0]!.slice(1, 3)).toEqual([22, 522 + 2_000 + 22 + 1_000])
  })
})

describe('elastic encode', () => {
  const burst = Array.from({ length: 60 }, (_, n) => request([8], { atMs: n * 20, input: 2_000, output: 20 }))

  test('arrow-v2 makes instances encode when images would be late, static does not', () => {
    const labels: Label[] = ['encode', 'prefill', 'decode', 'decode', 'decode']
    const changes = { slo: { ttftMs: 500, tpotMs: 50 }, labels }
    const elastic = run(burst, { ...changes, policy: policyOf('arrow-v2') })
    const fixed = run(burst, changes)
    expect(elastic.flips.map(({ label }) => label)).toContain('encode')
    expect(elastic.result.attainment).toBeGreaterThan(1.5 * fixed.result.attainment)
    expect(elastic.result.finished).toBe(60)
  })

  test('a loose SLO moves no label', () => {
    const { flips } = run(burst, { policy: policyOf('arrow-v2'), slo: { ttftMs: 1e6, tpotMs: 1e6 } })
    expect(flips).toEqual([])
  })
})

describe('kinds of instances', () => {
  const options = { instances: 4, loads: 'corrected' as const, batching: { chunkTokens: 2_048 } }
  const names = (name: string, instances = 4) => variantsOf(name, { ...options, instances }).map((v) => v.name)

  test('static is swept over every split, an elastic policy begins evenly', () => {
    expect(names('static@E+P+D')).toEqual(['1E1P2D', '1E2P1D', '2E1P1D'])
    expect(names('static@EP+D')).toEqual(['3D1EP', '2D2EP', '1D3EP'])
    expect(names('arrow-v2@E+P+D', 8)).toEqual(['3E3P2D'])
    expect(names('arrow-v2@E+PD')).toEqual(['2E2PD'])
    expect(names('colocated@EPD')).toEqual(['4 unlabelled'])
  })

  test.each(['static@', 'static@E+P', 'static@X+P+D', 'static@EE+P+D', 'arow@P+D'])('%s is refused', (name) => {
    expect(() => names(name)).toThrow(/Unknown kinds|Cannot use policy/)
  })
})

const clients = sharedData('traces/servegen_multimodal_image.jsonl.gz')
describe.skipIf(clients === undefined)('requests drawn from ServeGen', () => {
  const hour = (seed: number) => drawServegen(clients!, [12, 13], seed)

  test('have the rate and the lengths that it describes, in order, and repeat', async () => {
    const rows: Arrival[] = []
    for await (const batch of hour(1)) rows.push(...batch)
    const mean = (of: (row: Arrival) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length
    // Of the day: 9.47 requests/s, 1.586 images, 129.7 output tokens; an hour may lie beside it.
    expect(rows.length / 3_600).toBeGreaterThan(8)
    expect(rows.length / 3_600).toBeLessThan(13)
    expect(mean((row) => row.images!.length)).toBeCloseTo(1.586, 0)
    expect(Math.abs(mean((row) => row.output) / 129.7 - 1)).toBeLessThan(0.3)
    expect(Math.abs(mean((row) => row.input) / (572.1 + 1.586 * 649.8) - 1)).toBeLessThan(0.3)
    expect(rows.every((row, n) => row.atMs >= (rows[n - 1]?.atMs ?? 0) && row.atMs < 3_600_000)).toBe(true)
    const begin = async (seed: number) => (await hour(seed).next()).value as Arrival[]
    const first = await begin(1)
    expect(first).toEqual(rows.slice(0, first.length))
    expect(first.length).toBeGreaterThan(1_000)
    expect(await begin(2)).not.toEqual(first)
  })
})
