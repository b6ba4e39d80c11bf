/**
 * Loads made from a recipe instead of read from a file: phases that invert, prefill-heavy against decode-heavy, and
 * the same mixture without phases. Poisson arrivals and uniform lengths, drawn from counted random numbers: a seed is
 * a load.
 * @module
 */
import { philox4x32 } from '../engine/sampler-random.ts'
import { VolleyError } from '../errors.ts'
import type { Arrival } from './trace.ts'

/** Requests of one kind: arrivals per second, and bounds of their lengths. */
export interface Kind {
  perSecond: number
  input: readonly [number, number]
  output: readonly [number, number]
}

/** Lasts so long; each arrival is of one of its kinds, by their rates. */
export interface Segment {
  seconds: number
  kinds: readonly Kind[]
}

const prefillHeavy = (perSecond: number): Kind => ({ perSecond, input: [4_000, 8_000], output: [20, 60] })
const decodeHeavy = (perSecond: number): Kind => ({ perSecond, input: [200, 500], output: [800, 2_000] })

/** Four segments of `seconds` each, prefill-heavy first. */
function inverting(seconds: number, decodePerSecond: number): Segment[] {
  const pair = [{ seconds, kinds: [prefillHeavy(2)] }, { seconds, kinds: [decodeHeavy(decodePerSecond)] }]
  return [...pair, ...pair]
}

/** 30 s decode-heavy, 30 s prefill-heavy, 30 s decode-heavy: the load of Narwhal's public demo. */
const swing = (perSecond: number): Segment[] => {
  const decode = { seconds: 30, kinds: [{ perSecond, input: [200, 400], output: [400, 600] }] } as const
  return [decode, { seconds: 30, kinds: [{ perSecond, input: [6_000, 9_000], output: [30, 60] }] }, decode]
}

const LOADS: Readonly<Record<string, (value: number) => Segment[]>> = {
  'inverting-a': (seconds) => inverting(seconds, 2),
  'inverting-b': (seconds) => inverting(seconds, 6),
  swing: (perSecond) => swing(perSecond === DEFAULT_SEGMENT_SECONDS ? 2.4 : perSecond),
  stationary: (seconds) => [{ seconds: 4 * seconds, kinds: [prefillHeavy(1), decodeHeavy(1)] }],
}
const DEFAULT_SEGMENT_SECONDS = 3_000

/** Segments of a load by `NAME` or `NAME:SECONDS` of one segment; `swing:X` is X requests a second. Error: `invalid_flag` naming those that exist. */
export function loadOf(name: string): Segment[] {
  const [kind = '', seconds = String(DEFAULT_SEGMENT_SECONDS), more] = name.split(':')
  const make = Object.hasOwn(LOADS, kind) ? LOADS[kind] : undefined
  const length = Number(seconds)
  if (make && more === undefined && length > 0 && length <= 1e6) return make(length)
  throw new VolleyError('invalid_flag', `Unknown synthetic load "${name}"`, {
    param: 'trace',
    remedy: `use synthetic:NAME or synthetic:NAME:SECONDS, where NAME is one of ${Object.keys(LOADS).join(', ')}`,
  })
}

const BATCH = 1_024

/** The arrivals of a load, some at a time. */
export function* synthesise(segments: readonly Segment[], seed: number): Generator<Arrival[]> {
  let batch: Arrival[] = []
  let drawn = 0
  let fromMs = 0
  for (const { seconds, kinds } of segments) {
    const total = kinds.reduce((sum, kind) => sum + kind.perSecond, 0)
    const untilMs = fromMs + seconds * 1_000
    for (let atMs = fromMs;;) {
      const [pause, which, input, output] = uniforms(drawn++, seed)
      atMs += -Math.log(1 - pause) / total * 1_000
      if (atMs >= untilMs) break
      const kind = pick(kinds, which * total)
      batch.push({ atMs, input: within(kind.input, input), output: within(kind.output, output) })
      if (batch.length === BATCH) {
        yield batch
        batch = []
      }
    }
    fromMs = untilMs
  }
  yield batch
}

/** Arrivals at `density` times their number: some left out, or some twice and more, by the seed. */
export async function* thin(
  batches: AsyncIterable<Arrival[]>,
  density: number,
  seed: number,
): AsyncGenerator<Arrival[]> {
  let drawn = 0
  for await (const batch of batches) {
    yield batch.flatMap((arrival) => {
      const copies = Math.floor(density + uniforms(drawn++, seed)[0])
      return Array.from({ length: copies }, () => arrival)
    })
  }
}

/** Four numbers in [0, 1), by position and seed alone. */
export function uniforms(position: number, seed: number): [number, number, number, number] {
  const words = philox4x32([position >>> 0, Math.floor(position / 2 ** 32), 0, 0], [seed >>> 0, 0x51b])
  return words.map((word) => word / 2 ** 32) as [number, number, number, number]
}

function pick(kinds: readonly Kind[], at: number): Kind {
  let below = 0
  for (const kind of kinds) {
    below += kind.perSecond
    if (at < below) return kind
  }
  return kinds.at(-1)!
}

const within = ([low, high]: readonly [number, number], share: number): number =>
  low + Math.floor(share * (high - low + 1))
