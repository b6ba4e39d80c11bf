/**
 * One line of results for a policy on a trace: a run at one rate, or the search for its goodput; of several set-ups the
 * best is kept.
 * @module
 */
import type { CostProfile } from '../policy/profile.ts'
import type { Slo } from '../policy/policy.ts'
import type { Fault } from './faults.ts'
import { type Goodput, keeps, PackedTrace, searchGoodput, simulate } from './goodput.ts'
import type { SimResult } from './outcomes.ts'
import type { SimObserver } from './observer.ts'
import { type SimOptions, Simulation } from './simulator.ts'
import type { Arrival } from './trace.ts'
import type { Variant } from './variants.ts'

/** Reads a trace from its beginning, as often as asked. */
export type OpenTrace = () => AsyncIterable<Arrival[]>

/** What all set-ups of a comparison share. */
export interface RunOptions {
  profile: CostProfile
  slo: Slo
  restartMs: number
  faults?: readonly Fault[] | undefined
  linkBytesPerMs?: number | undefined
  spreadImages?: boolean | undefined
}

export interface RunResult extends SimResult {
  labels: string
  /** Multiplier of the trace's speed. */
  rate: number
  goodput?: Goodput
  /** Of every set-up that was tried, when there were several: its goodput, or its attainment. */
  tried?: Record<string, number>
}

const optionsOf = ({ policy, labels, batching }: Variant, options: RunOptions): SimOptions => ({
  ...options,
  policy,
  labels,
  batching,
})

/** Runs a trace as it is read: memory does not grow with its length. */
export async function simulateStream(
  options: SimOptions,
  batches: AsyncIterable<Arrival[]>,
  rate: number,
): Promise<SimResult> {
  const simulation = new Simulation(options)
  for await (const batch of batches) {
    for (const { atMs, input, output, images } of batch) simulation.offer(atMs / rate, input, output, images)
  }
  return simulation.finish()
}

/** The set-up with the highest attainment at `rate`; the first of equals. Only its run is shown to `observer`. */
export async function runAtRate(
  variants: readonly Variant[],
  options: RunOptions,
  open: OpenTrace,
  rate: number,
  observer?: SimObserver,
): Promise<RunResult> {
  const run = (variant: Variant, seenBy?: SimObserver) =>
    simulateStream({ ...optionsOf(variant, options), observer: seenBy }, open(), rate)
  const alone = variants.length === 1 ? observer : undefined
  const results = []
  for (const variant of variants) results.push({ ...await run(variant, alone), labels: variant.name, rate, variant })
  const { variant, ...result } = best(results, ({ attainment }) => attainment)
  // Who was best is known once all have run: its run is made again.
  if (observer && !alone) await run(variant, observer)
  return result
}

/** The set-up with the highest goodput, and what it does at that rate: the run that `observer` sees. */
export function runGoodput(
  variants: readonly Variant[],
  options: RunOptions,
  trace: PackedTrace,
  observer?: SimObserver,
): RunResult {
  const results = variants.map((variant) => {
    const goodput = searchGoodput((rate) => keeps(optionsOf(variant, options), trace, rate))
    return { labels: variant.name, rate: goodput.rate, goodput, variant }
  })
  const { variant, ...line } = best(results, (result) => result.rate)
  const rate = line.rate || (line.goodput.failingRate ?? 1)
  return { ...simulate({ ...optionsOf(variant, options), observer }, trace, rate), ...line }
}

function best<T extends { labels: string; tried?: Record<string, number> }>(
  results: readonly T[],
  value: (result: T) => number,
): T {
  const first = results.reduce((a, b) => (value(b) > value(a) ? b : a))
  if (results.length === 1) return first
  return { ...first, tried: Object.fromEntries(results.map((result) => [result.labels, value(result)])) }
}
