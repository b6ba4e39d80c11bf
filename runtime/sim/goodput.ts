/**
 * Goodput: the highest multiplier of a trace's speed at which at least 90 % of what was offered keeps both SLOs.
 * @module
 */
import { type SimOptions, Simulation } from './simulator.ts'
import type { SimResult } from './outcomes.ts'
import type { Arrival } from './trace.ts'

/** Attainment that counts as kept. */
export const TARGET = 0.9
const FIRST_MULTIPLIER = 0.25
/** No trace is compressed more than this. */
const LAST_MULTIPLIER = 2 ** 20
const MAX_BISECTIONS = 8
const BRACKET = 0.01

/** A trace in memory, 16 bytes a request: read once, run many times. */
export class PackedTrace {
  readonly atMs: Float64Array
  readonly input: Int32Array
  readonly output: Int32Array
  /** Undefined = no request has any. */
  readonly images: readonly (readonly number[] | undefined)[] | undefined

  constructor(rows: readonly Arrival[]) {
    this.atMs = Float64Array.from(rows, (r) => r.atMs)
    this.input = Int32Array.from(rows, (r) => r.input)
    this.output = Int32Array.from(rows, (r) => r.output)
    if (rows.some((r) => r.images !== undefined)) this.images = rows.map((r) => r.images)
  }

  get length(): number {
    return this.atMs.length
  }

  static async read(batches: AsyncIterable<readonly Arrival[]>): Promise<PackedTrace> {
    const rows: Arrival[] = []
    for await (const batch of batches) for (const row of batch) rows.push(row)
    return new PackedTrace(rows)
  }
}

/** Runs a trace from memory, its timestamps divided by `rate`. */
export function simulate(options: SimOptions, trace: PackedTrace, rate = 1): SimResult {
  const simulation = new Simulation(options)
  for (let at = 0; at < trace.length; at++) {
    simulation.offer(trace.atMs[at]! / rate, trace.input[at]!, trace.output[at]!, trace.images?.[at])
  }
  return simulation.finish()
}

/** Whether a rate keeps the SLOs; gives up as soon as it cannot any more. */
export function keeps(options: SimOptions, trace: PackedTrace, rate: number): boolean {
  const simulation = new Simulation(options)
  for (let at = 0; at < trace.length; at++) {
    simulation.offer(trace.atMs[at]! / rate, trace.input[at]!, trace.output[at]!, trace.images?.[at])
    if ((trace.length - simulation.outcomes.missed) / trace.length < TARGET) return false
  }
  return simulation.finish().attainment >= TARGET
}

/** What a search has found. Attainment is not monotone in the rate: the first failing rate is told, too. */
export interface Goodput {
  /** 0 = not even a quarter of the trace's own speed is kept. */
  rate: number
  /** The lowest rate that was seen to fail; null = none did. */
  failingRate: number | null
}

/** Doubles from 0.25 while the SLOs are kept, then halves the bracket until it is within 1 %. */
export function searchGoodput(isKept: (rate: number) => boolean): Goodput {
  let low = 0
  let high = FIRST_MULTIPLIER
  while (isKept(high)) {
    if (high >= LAST_MULTIPLIER) return { rate: high, failingRate: null }
    ;[low, high] = [high, high * 2]
  }
  for (let step = 0; step < MAX_BISECTIONS && low > 0 && (high - low) / low > BRACKET; step++) {
    const middle = (low + high) / 2
    if (isKept(middle)) low = middle
    else high = middle
  }
  return { rate: low, failingRate: high }
}
