/**
 * A run over time in a fixed amount of memory: windows of equal length, two made one whenever there are too many. Counts
 * add up to the run's totals; what is sampled is averaged over a window; latencies are kept as coarse histograms.
 * @module
 */
import type { Label, Slo } from '../policy/policy.ts'
import type { SimInstance, SimRequest } from './instance.ts'
import { type Flip, SimObserver, type SimStatus } from './observer.ts'

const MAX_WINDOWS = 480
const FIRST_WINDOW_MS = 250
/** Flips kept one by one; all are counted. */
const MAX_FLIPS = 500
/** Instances whose label is kept one by one. */
const MAX_ROWS = 64
/** Width of a histogram's buckets: percentiles are right within half of it. */
const GROWTH = Math.log(1.05)

/** In the order in which they lie on each other; a label's place here is its digit in `RunSeries.labels`. */
export const POOLS = [
  'encode',
  'encode+prefill',
  'prefill',
  'prefill+decode',
  'encode+decode',
  'decode',
  'unlabelled',
] as const
export type Pool = (typeof POOLS)[number]
/** In the place of a digit: the instance is dead. */
export const DEAD = '-'
const COUNTS = ['offered', 'finished', 'met', 'rejected', 'failed', 'flips'] as const
const GAUGES = ['encodeTiles', 'prefillTokens', 'decodeTokens', 'kvShare'] as const
const PERCENTILES = { p50: 0.5, p90: 0.9, p99: 0.99 } as const

type Numbers<K extends string> = Record<K, number>
const zeros = <K extends string>(names: readonly K[]): Numbers<K> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Numbers<K>

interface Window {
  counts: Numbers<(typeof COUNTS)[number]>
  /** Sums over the samples. */
  gauges: Numbers<(typeof GAUGES)[number]>
  pools: Numbers<Pool>
  samples: number
  /** Label of each instance at the window's last sample, a digit each: its place in `POOLS`; or `DEAD`. */
  labels: string
  /** Bucket -> how many. */
  ttft: Map<number, number>
  tpot: Map<number, number>
}

const newWindow = (): Window => ({
  counts: zeros(COUNTS),
  gauges: zeros(GAUGES),
  pools: zeros(POOLS),
  samples: 0,
  labels: '',
  ttft: new Map(),
  tpot: new Map(),
})

/** A flip, as a report tells it. */
export interface FlipRecord {
  atMs: number
  instance: string
  from: string
  to: string
  reason: string
}

type Percentiles = Record<keyof typeof PERCENTILES, (number | null)[]>

/** Columns of equal length, one value a window; ms. */
export interface RunSeries {
  windowMs: number
  /** Requests in a window; each column adds up to the run's total. */
  counts: Record<(typeof COUNTS)[number], number[]>
  /** Means over a window; null = nothing was sampled in it. */
  gauges: Record<(typeof GAUGES)[number], (number | null)[]>
  pools: Record<Pool, (number | null)[]>
  instances: string[]
  labels: string[]
  /** By the window in which the first, or the last, token came. */
  ttftMs: Percentiles
  tpotMs: Percentiles
  flips: FlipRecord[]
}

/** Watches a run. */
export class SeriesRecorder extends SimObserver {
  private windowMs = FIRST_WINDOW_MS
  private windows: Window[] = []
  private readonly flips: FlipRecord[] = []
  private readonly slo: Slo
  private readonly open = new Set<SimRequest>()
  private instances: string[] = []

  constructor(slo: Slo) {
    super()
    this.slo = slo
  }

  override arrived(request: SimRequest): void {
    this.open.add(request)
    this.at(request.arrivedMs).counts.offered++
  }

  override prefilled(request: SimRequest, _instance: SimInstance, nowMs: number): void {
    if (Number.isNaN(request.firstMs)) count(this.at(nowMs).ttft, nowMs - request.arrivedMs)
  }

  override flipped({ instance, label, reason, atMs }: Flip, from: Label | undefined): void {
    this.at(atMs).counts.flips++
    if (this.flips.length < MAX_FLIPS) {
      this.flips.push({ atMs, instance, from: from ?? 'unlabelled', to: label, reason })
    }
  }

  override ended(request: SimRequest, status: SimStatus, nowMs: number): void {
    this.open.delete(request)
    const window = this.at(nowMs)
    window.counts[status]++
    if (status !== 'finished') return
    const { output, firstMs, arrivedMs } = request
    const tpotMs = output > 1 ? (nowMs - firstMs) / (output - 1) : 0
    if (output > 1) count(window.tpot, tpotMs)
    if (firstMs - arrivedMs <= this.slo.ttftMs && tpotMs <= this.slo.tpotMs) window.counts.met++
  }

  override sampled(instances: readonly SimInstance[], nowMs: number): void {
    const window = this.at(nowMs)
    const { gauges, pools } = window
    this.instances = instances.slice(0, MAX_ROWS).map(({ id }) => id)
    window.samples++
    window.labels = ''
    for (const { index, label, dead, encodeTiles, prefillTokens, decodeTokens, kvUsed, kvTokensTotal } of instances) {
      gauges.encodeTiles += encodeTiles
      gauges.prefillTokens += prefillTokens
      gauges.decodeTokens += decodeTokens
      gauges.kvShare += kvUsed / kvTokensTotal / instances.length
      const pool = label ?? 'unlabelled'
      if (!dead) pools[pool]++
      if (index < MAX_ROWS) window.labels += dead ? DEAD : POOLS.indexOf(pool)
    }
  }

  override finished(nowMs: number): void {
    for (const request of this.open) this.ended(request, 'failed', nowMs)
  }

  series(): RunSeries {
    const { windows } = this
    const mean = (sum: number, { samples }: Window) => (samples === 0 ? null : round(sum / samples))
    const columns = <K extends string, V>(names: readonly K[], of: (window: Window, name: K) => V) =>
      Object.fromEntries(names.map((name) => [name, windows.map((w) => of(w, name))])) as Record<K, V[]>
    const percentiles = (of: 'ttft' | 'tpot') =>
      columns(Object.keys(PERCENTILES) as (keyof typeof PERCENTILES)[], (w, p) => quantile(w[of], PERCENTILES[p]))
    return {
      windowMs: this.windowMs,
      counts: columns(COUNTS, (w, name) => w.counts[name]),
      gauges: columns(GAUGES, (w, name) => mean(w.gauges[name], w)),
      pools: columns(POOLS, (w, name) => mean(w.pools[name], w)),
      instances: this.instances,
      labels: windows.map((w) => w.labels),
      ttftMs: percentiles('ttft'),
      tpotMs: percentiles('tpot'),
      flips: this.flips,
    }
  }

  /** The window of a time. */
  private at(ms: number): Window {
    while (ms >= this.windowMs * MAX_WINDOWS) {
      this.windowMs *= 2
      this.windows = Array.from(
        { length: Math.ceil(this.windows.length / 2) },
        (_, i) => merged(this.windows[2 * i]!, this.windows[2 * i + 1] ?? newWindow()),
      )
    }
    const index = Math.floor(ms / this.windowMs)
    while (this.windows.length <= index) this.windows.push(newWindow())
    return this.windows[index]!
  }
}

function merged(a: Window, b: Window): Window {
  for (const name of COUNTS) a.counts[name] += b.counts[name]
  for (const name of GAUGES) a.gauges[name] += b.gauges[name]
  for (const name of POOLS) a.pools[name] += b.pools[name]
  for (const kind of ['ttft', 'tpot'] as const) {
    for (const [bucket, n] of b[kind]) a[kind].set(bucket, (a[kind].get(bucket) ?? 0) + n)
  }
  a.samples += b.samples
  if (b.labels !== '') a.labels = b.labels
  return a
}

const bucketOf = (ms: number): number => (ms <= 1e-3 ? -Infinity : Math.round(Math.log(ms) / GROWTH))

function count(histogram: Map<number, number>, ms: number): void {
  const bucket = bucketOf(ms)
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1)
}

function quantile(histogram: ReadonlyMap<number, number>, p: number): number | null {
  const sorted = [...histogram].sort((a, b) => a[0] - b[0])
  const total = sorted.reduce((sum, [, n]) => sum + n, 0)
  let below = 0
  for (const [bucket, n] of sorted) {
    below += n
    if (below > p * total || below === total) return round(Math.exp(bucket * GROWTH))
  }
  return null
}

const round = (value: number): number => Number(value.toPrecision(5))
