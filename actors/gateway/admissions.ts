/**
 * Admissions in the decision ledger: what a gateway expected of a request when it took it, and when its first token was
 * shown. The whole wait is in it, that for a free instance too, which no placement's own prediction knows.
 * @module
 */
import type { Bus } from '../../runtime/bus/bus.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import type { Clock } from '../../runtime/clock.ts'
import { carries } from '../../runtime/policy/candidates.ts'
import type { InstanceView } from '../../runtime/policy/policy.ts'
import { prefillMs } from '../../runtime/policy/profile.ts'
import { type AccuracyKeeper, ADMIT } from '../../runtime/pool/accuracy.ts'
import type { ActualEntry, LedgerEntry } from '../../runtime/pool/ledger.ts'

export interface AdmissionsOptions {
  bus: Bus
  clock: Clock
  gateway: string
  accuracy: AccuracyKeeper
}

export class Admissions {
  private readonly options: AdmissionsOptions

  constructor(options: AdmissionsOptions) {
    this.options = options
  }

  /**
   * Notes that a request was taken, `open` others being open; the returned function is to be called at its first token.
   * Expected: the least wait and prefill among instances that would take it.
   */
  taken(request: string, promptTokens: number, instances: readonly InstanceView[], open: number): () => void {
    const { bus, clock, gateway, accuracy } = this.options
    const able = instances.filter((i) => !i.draining && i.phases.includes('prefill') && carries(i, 'prefill'))
    const scores = Object.fromEntries(able.map((i) => [i.id, i.prefillWaitMs + prefillMs(i.profile, promptTokens)]))
    const predictedMs = able.length === 0 ? undefined : Math.min(...Object.values(scores))
    const about = { request, phase: ADMIT, instance: gateway }
    const entry: LedgerEntry = {
      outcome: 'accepted', ...about, policy: 'gateway', reason: `${open} open before it`, scores, predictedMs, flips: [], atMs: clock.now(),
    }
    const subject = subjects.decision(request, ADMIT)
    bus.publish(subject, JSON.stringify(entry))
    const startedAt = clock.monotonic()
    return () => {
      if (predictedMs === undefined) return
      const actualMs = Math.round((clock.monotonic() - startedAt) * 1000) / 1000
      const actual: ActualEntry = { outcome: 'actual', ...about, predictedMs, actualMs, atMs: clock.now() }
      bus.publish(subject, JSON.stringify(actual))
      accuracy.note(ADMIT, predictedMs, actualMs)
    }
  }
}
