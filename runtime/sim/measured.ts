/**
 * Runs of real engines that were measured request by request, and the simulator on the same arrivals: how far off it
 * is. Nothing of the simulator is fitted to what is compared here.
 * @module
 */
import { policyOf } from '../policy/mod.ts'
import { VolleyError } from '../errors.ts'
import type { Batching, SimProfile } from './instance.ts'
import runs from './measured.json' with { type: 'json' }
import { profileOf } from './profiles.ts'
import { Simulation } from './simulator.ts'

/** A run as it is shipped: one instance, columns by request in order of arrival, ms. */
export interface PackedRun {
  name: string
  engine: string
  source: string
  licence: string
  profile: string
  /** `max_num_batched_tokens` and `max_num_seqs` of the engine. */
  batchTokens: number
  maxSequences: number
  /** The first so many requests told something of the profile: they are simulated, not compared. */
  calibrated: number
  queuedMs: number[]
  inputTokens: number[]
  outputTokens: number[]
  ttftMs: number[]
  tpotMs: number[]
}

/** One figure of both, and (simulated - measured) / measured. */
export interface Agreement {
  measured: number
  simulated: number
  error: number
}

export interface Comparison {
  ttftMs: { mean: Agreement; p90: Agreement }
  tpotMs: { mean: Agreement; p90: Agreement }
}

const PACKED = runs as readonly PackedRun[]
export const measuredNames: readonly string[] = PACKED.map(({ name }) => name)

/** Error: `invalid_flag` naming those that exist. */
export function measuredRun(name: string): PackedRun {
  const found = PACKED.find((run) => run.name === name)
  if (found) return found
  throw new VolleyError('invalid_flag', `Unknown measured run "${name}"`, {
    param: 'measured',
    remedy: `use all, or one of ${measuredNames.join(', ')}`,
  })
}

/** What one request took. */
export interface Latencies {
  ttftMs: number
  tpotMs: number
}

/** One instance that does everything, as an engine alone does. */
export interface AloneOptions {
  profile: SimProfile
  batching: Batching
  maxSequences: number
}

/** Requests on one instance whose KV grows as they do. In the order of `arrivals`, which is by time. */
export function simulateAlone(
  { profile, batching, maxSequences }: AloneOptions,
  arrivals: readonly { atMs: number; input: number; output: number }[],
): Latencies[] {
  const latencies: Latencies[] = []
  const simulation = new Simulation({
    policy: policyOf('colocated'),
    profile,
    batching,
    maxSequences,
    kv: 'growing',
    slo: { ttftMs: Infinity, tpotMs: Infinity },
    labels: [undefined],
    tailMs: Infinity,
    onDone: ({ id, firstMs, arrivedMs, output }, nowMs) => {
      latencies[id] = { ttftMs: firstMs - arrivedMs, tpotMs: (nowMs - firstMs) / Math.max(1, output - 1) }
    },
  })
  for (const { atMs, input, output } of arrivals) simulation.offer(atMs, input, output)
  simulation.finish()
  return latencies
}

/** The simulator on a run's arrivals, against what was measured. */
export function compareRun(run: PackedRun): Comparison {
  const { batchTokens, maxSequences, calibrated, queuedMs, inputTokens, outputTokens } = run
  const arrivals = queuedMs.map((atMs, at) => ({ atMs, input: inputTokens[at]!, output: outputTokens[at]! }))
  const simulated = simulateAlone(
    { profile: profileOf(run.profile), batching: { batchTokens }, maxSequences },
    arrivals,
  )
  const measured = run.ttftMs.map((ttftMs, at) => ({ ttftMs, tpotMs: run.tpotMs[at]! }))
  return compare(measured.slice(calibrated), simulated.slice(calibrated))
}

/** Means and 90th percentiles of both. */
export function compare(measured: readonly Latencies[], simulated: readonly Latencies[]): Comparison {
  const of = (key: keyof Latencies) => {
    const [a, b] = [measured, simulated].map((all) => all.map((one) => one[key])) as [number[], number[]]
    return { mean: agreement(mean(a), mean(b)), p90: agreement(quantile(a, 0.9), quantile(b, 0.9)) }
  }
  return { ttftMs: of('ttftMs'), tpotMs: of('tpotMs') }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))
const agreement = (measured: number, simulated: number): Agreement => ({
  measured: round(measured, 3),
  simulated: round(simulated, 3),
  error: round(simulated / measured - 1, 4),
})
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length

/** Linear between order statistics. */
function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * p
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return low + (high - low) * (at - Math.floor(at))
}
