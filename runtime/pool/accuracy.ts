/**
 * How far predictions were off, added up for ever: a few counters and a histogram of relative errors, small enough for
 * one key. Knows nothing of what is predicted.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import type { Json } from '../json.ts'

/** Relative errors |predicted - actual| / actual are counted by classes that grow by this factor from LOWEST. */
const GROWTH = 1.1
const LOWEST = 0.005
const CLASSES = 110
/** A key nobody has written for so long is forgotten. */
const KEPT_MS = 30 * 86_400_000

/** Phase of a gateway's own predictions: from admission to the first token. */
export const ADMIT = 'admit'

/** What is kept of one kind of prediction. */
export interface Tally {
  count: number
  /** Sum of (predicted - actual) / actual: its mean is the bias. */
  biasSum: number
  predictedMsSum: number
  actualMsSum: number
  /** Count by class of relative error; classes that are empty are left out. */
  classes: Record<string, number>
}

/** Value of `volley_predictions/<instance or gateway>`: tallies by phase. */
export type AccuracyValue = Record<string, Tally>

/** A tally as people read it; errors are relative to the actual. */
export interface Accuracy {
  count: number
  meanPredictedMs: number
  meanActualMs: number
  /** Mean of (predicted - actual) / actual. */
  bias: number
  /** Quantiles of |predicted - actual| / actual. */
  p50: number
  p90: number
}

const NONE: Tally = { count: 0, biasSum: 0, predictedMsSum: 0, actualMsSum: 0, classes: {} }

/** A tally with one more comparison in it. An actual of no time at all cannot be missed by a share of it: left out. */
export function tallied(tally: Tally = NONE, predictedMs: number, actualMs: number): Tally {
  if (!(actualMs > 0) || !Number.isFinite(predictedMs)) return tally
  const error = (predictedMs - actualMs) / actualMs
  const key = Math.min(CLASSES, Math.max(0, Math.ceil(Math.log(Math.abs(error) / LOWEST) / Math.log(GROWTH))))
  return {
    count: tally.count + 1,
    biasSum: tally.biasSum + error,
    predictedMsSum: tally.predictedMsSum + predictedMs,
    actualMsSum: tally.actualMsSum + actualMs,
    classes: { ...tally.classes, [key]: (tally.classes[key] ?? 0) + 1 },
  }
}

/** What a tally says; quantiles are the upper edge of their class, so within 10 %. */
export function accuracyOf(tally: Tally): Accuracy {
  const { count, biasSum, predictedMsSum, actualMsSum, classes } = tally
  const quantile = (share: number): number => {
    let seen = 0
    for (let key = 0; key <= CLASSES; key++) {
      seen += classes[key] ?? 0
      if (seen > 0 && seen >= share * count) return LOWEST * GROWTH ** key
    }
    return NaN
  }
  return {
    count, meanPredictedMs: predictedMsSum / count, meanActualMs: actualMsSum / count, bias: biasSum / count,
    p50: quantile(0.5), p90: quantile(0.9),
  }
}

/** Tallies of one key in the bucket: read once, written again when something has come. */
export class AccuracyKeeper {
  private readonly bus: Bus
  private readonly key: string
  private value: AccuracyValue = {}
  private changed = false

  constructor(bus: Bus, key: string) {
    this.bus = bus
    this.key = key
  }

  /** Goes on with what was kept before. Error: `bus_timeout`. */
  async load(): Promise<void> {
    const kept = await this.bus.bucket('volley_predictions').get(this.key)
    this.value = { ...kept?.json<AccuracyValue>(), ...this.value }
  }

  note(phase: string, predictedMs: number, actualMs: number): void {
    this.value = { ...this.value, [phase]: tallied(this.value[phase], predictedMs, actualMs) }
    this.changed = true
  }

  /** Error: `bus_timeout`; what was not written is written with the next save. */
  async save(): Promise<void> {
    if (!this.changed) return
    this.changed = false
    try {
      await this.bus.bucket('volley_predictions').put(this.key, JSON.stringify(this.value as unknown as Json), { ttlMs: KEPT_MS })
    } catch (error) {
      this.changed = true
      throw error
    }
  }
}
