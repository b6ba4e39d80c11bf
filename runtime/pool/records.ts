/**
 * Reads and compare-and-sets of a request's record: what fences every stale writer (protocol rules 4 and 5).
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { LIVE_GRACE_MS, TERMINAL_TTL_MS } from '../bus/topology.ts'
import type { Clock } from '../clock.ts'
import { isVolleyError } from '../errors.ts'
import { isTerminal, type RequestRecord } from '../wire/hop.ts'
import { patiently } from './patience.ts'

export interface Found {
  record: RequestRecord
  revision: number
}

export class Records {
  private readonly bus: Bus
  private readonly clock: Clock

  constructor(bus: Bus, clock: Clock) {
    this.bus = bus
    this.clock = clock
  }

  /** Retries while the broker is away. Error: `bus_timeout` after ten seconds. */
  read(id: string, signal?: AbortSignal): Promise<Found | undefined> {
    return patiently(this.clock, signal, async () => {
      const entry = await this.bus.bucket('volley_requests').get(id)
      return entry && { record: entry.json<RequestRecord>(), revision: entry.revision }
    })
  }

  /**
   * Writes `record` where the revision is still `expect` (0 = none). Answers the new revision, or undefined when
   * somebody else wrote: then Look. A lost answer is settled by reading: if the record is as I wanted it, it was me.
   */
  async write(id: string, record: RequestRecord, expect: number, signal?: AbortSignal): Promise<number | undefined> {
    const ttlMs = isTerminal(record)
      ? TERMINAL_TTL_MS
      : Math.max(0, record.deadline - this.clock.now()) + LIVE_GRACE_MS
    const body = JSON.stringify(record)
    return await patiently(this.clock, signal, async () => {
      try {
        return await this.bus.bucket('volley_requests').put(id, body, { expect, ttlMs })
      } catch (error) {
        if (!isVolleyError(error, 'bus_conflict') && !isVolleyError(error, 'bus_timeout')) throw error
        const found = await this.read(id, signal)
        if (found?.record.stamp === record.stamp) return found.revision
        if ((found?.revision ?? 0) === expect) throw error
        return undefined
      }
    })
  }
}
