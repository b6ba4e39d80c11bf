/**
 * How busy a pool is: 1 = exactly at its SLO. `plain` is what the published description says; `corrected`, the default,
 * leaves out what would make an idle pool read as loaded or a stuck one as idle.
 * @module
 */
import type { InstanceView, Slo } from './policy.ts'

/** Which definition of load a policy reads. */
export type Loads = 'plain' | 'corrected'

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, v) => sum + v, 0) / values.length

/**
 * Mean over the pool of the mean gap between tokens, over the TPOT SLO. Corrected: the first gap is left out (it is the
 * transfer's), an interval without tokens counts the gap still open, and the profiled floor is taken off both sides,
 * because a batch of one already takes that long.
 */
export function decodeLoad(pool: readonly InstanceView[], slo: Slo, loads: Loads): number {
  return mean(pool.map(({ gaps, profile }) => {
    if (loads === 'plain') {
      const count = gaps.count + gaps.firstCount
      return count === 0 ? 0 : (gaps.sumMs + gaps.firstSumMs) / count / slo.tpotMs
    }
    const seenMs = gaps.count > 0 ? gaps.sumMs / gaps.count : gaps.openMs
    const floorMs = profile.baseMs + profile.perSequenceMs
    // An SLO below the floor cannot be kept: then any decode is full load.
    if (slo.tpotMs <= floorMs) return seenMs > 0 ? 1 : 0
    return Math.max(0, seenMs - floorMs) / (slo.tpotMs - floorMs)
  }))
}

/** Mean over the pool of the predicted prefill wait over the TTFT SLO. Corrected: averaged over the interval. */
export const prefillLoad = (pool: readonly InstanceView[], slo: Slo, loads: Loads): number =>
  mean(pool.map((i) => (loads === 'plain' ? i.prefillWaitMs : i.prefillWaitMeanMs) / slo.ttftMs))
