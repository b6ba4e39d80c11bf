/**
 * How busy a pool is: 1 = exactly at its SLO. `plain` is what the published description says; `corrected`, the default,
 * leaves out what would make an idle pool read as loaded, and a full or a stuck one as idle.
 * @module
 */
import { waitMs } from './candidates.ts'
import type { InstanceView, Slo } from './policy.ts'
import { residentLimit } from './profile.ts'

/** Which definition of load a policy reads. */
export type Loads = 'plain' | 'corrected'

/** Below such a load a pool counts as idle. */
export const IDLE: Readonly<Record<Loads, number>> = { plain: 0.5, corrected: 0.6 }

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, v) => sum + v, 0) / values.length

/**
 * Plain: the mean gap between tokens over the TPOT SLO, the gap that is a transfer included. Such a load lags by an
 * interval, reads a batch of one as busy where the SLO is tight, and a pool whose memory is full as half idle where it
 * is loose. Corrected: the tokens that an instance holds, those on their way to it included, over the most that keep the
 * SLO and the memory; or the gap (of those after the first, or the one still open) where that alone breaks the SLO, as
 * it does when an instance is slower than its profile. Gaps beside prefills are left out: where decode has
 * instances of its own, those end by themselves.
 */
export function decodeLoad(pool: readonly InstanceView[], slo: Slo, loads: Loads): number {
  return mean(pool.map((i) => {
    const { count, sumMs, firstCount, firstSumMs, openMs } = i.gaps
    if (loads === 'plain') {
      const all = count + firstCount
      return all === 0 ? 0 : (sumMs + firstSumMs) / all / slo.tpotMs
    }
    const held = i.decodeTokens / Math.max(1, residentLimit(i.profile, slo.tpotMs))
    const seen = i.prefills > 0 ? 0 : (count > 0 ? sumMs / count : openMs) / slo.tpotMs
    return seen > 1 ? Math.max(seen, held) : held
  }))
}

/**
 * Mean over the pool of the predicted wait for prefill and encode over the TTFT SLO. Corrected: prefill's averaged over
 * the interval.
 */
export const waitLoad = (pool: readonly InstanceView[], slo: Slo, loads: Loads): number =>
  mean(pool.map((i) => (loads === 'plain' ? waitMs(i) : i.prefillWaitMeanMs + i.encodeWaitMs) / slo.ttftMs))
