/**
 * What became of the requests of a run, in a fixed amount of memory. Attainment is of all that were offered: whoever
 * does not finish has missed.
 * @module
 */
import type { Slo } from '../policy/policy.ts'
import { Histogram } from './histogram.ts'
import type { SimRequest } from './instance.ts'

/** Quantiles and mean of a latency; null where nothing was measured. */
export interface Latency {
  mean: number | null
  p50: number | null
  p90: number | null
  p99: number | null
}

/** Figures of one run. */
export interface SimResult {
  offered: number
  finished: number
  rejected: number
  failed: number
  /** Finished within both SLOs / offered. */
  attainment: number
  ttftMs: Latency
  tpotMs: Latency
  flips: number
  transferredBytes: number
  /** Times a request gave up its KV so that others could go on. */
  preempted: number
  /** Times a request went back because its KV or its images' features were gone: preempted, or an instance dead. */
  refilled: number
}

export class Outcomes {
  offered = 0
  finished = 0
  rejected = 0
  failed = 0
  met = 0
  /** Sure not to be met any more, so far. */
  missed = 0
  flips = 0
  preempted = 0
  refilled = 0
  private transferredBytes = 0
  private readonly slo: Slo
  private readonly ttft = new Histogram()
  private readonly tpot = new Histogram()

  constructor(slo: Slo) {
    this.slo = slo
  }

  /** Nothing is in flight. */
  get settled(): boolean {
    return this.finished + this.rejected + this.failed === this.offered
  }

  /** Its first token exists. */
  first(request: SimRequest): void {
    const ttftMs = request.firstMs - request.arrivedMs
    this.ttft.add(ttftMs)
    if (ttftMs > this.slo.ttftMs) this.missed++
  }

  /** Its last token exists. */
  done(request: SimRequest, nowMs: number): void {
    this.finished++
    this.transferredBytes += request.movedBytes
    const inTime = request.firstMs - request.arrivedMs <= this.slo.ttftMs
    const tpotMs = request.output > 1 ? (nowMs - request.firstMs) / (request.output - 1) : 0
    if (request.output > 1) this.tpot.add(tpotMs)
    if (inTime && tpotMs <= this.slo.tpotMs) this.met++
    else if (inTime) this.missed++
  }

  result(): SimResult {
    const { offered, finished, rejected, flips, preempted, refilled, transferredBytes } = this
    return {
      offered,
      finished,
      rejected,
      failed: offered - finished - rejected,
      attainment: offered === 0 ? 1 : this.met / offered,
      ttftMs: latency(this.ttft),
      tpotMs: latency(this.tpot),
      flips,
      transferredBytes,
      preempted,
      refilled,
    }
  }
}

function latency(histogram: Histogram): Latency {
  const of = (value: number) => (Number.isNaN(value) ? null : Number(value.toFixed(3)))
  return {
    mean: of(histogram.mean()),
    p50: of(histogram.quantile(0.5)),
    p90: of(histogram.quantile(0.9)),
    p99: of(histogram.quantile(0.99)),
  }
}
