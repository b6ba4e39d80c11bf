/**
 * Reads and compare-and-sets of a request's record: what fences every stale writer (protocol rules 4 and 5).
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { LIVE_GRACE_MS, TERMINAL_TTL_MS } from '../bus/topology.ts'
import { type Clock, sleep } from '../clock.ts'
import { isVolleyError } from '../errors.ts'
import { isTerminal, type RequestRecord } from '../wire/hop.ts'

export interface Found {
  record: RequestRecord
  revision: number
}

/** How long one write or read is tried while the broker does not answer. */
const PATIENCE_MS = 10_000
const RETRY_MS = 50

export class Records {
  private readonly bus: Bus
  private readonly clock: Clock

  constructor(bus: Bus, clock: Clock) {
    this.bus = bus
    this.clock = clock
  }

  /** Retries while the broker is away. Error: `bus_timeout` after ten seconds. */
  read(id: string, signal?: AbortSignal): Promise<Found | undefined> {
    return this.patiently(async () => {
      const entry = await this.bus.bucket('volley_requests').get(id)
      return entry && { record: entry.json<RequestRecord>(), revision: entry.revision }
    }, signal)
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
    return await this.patiently(async () => {
      try {
        return await this.bus.bucket('volley_requests').put(id, body, { expect, ttlMs })
      } catch (error) {
        if (!isVolleyError(error, 'bus_conflict') && !isVolleyError(error, 'bus_timeout')) throw error
        const found = await this.read(id, signal)
        if (found?.record.stamp === record.stamp) return found.revision
        if ((found?.revision ?? 0) === expect) throw error
        return undefined
      }
    }, signal)
  }

  private async patiently<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const end = this.clock.monotonic() + PATIENCE_MS
    while (true) {
      try {
        return await attempt()
      } catch (error) {
        const passing = isVolleyError(error, 'bus_timeout') || isVolleyError(error, 'bus_conflict')
        if (!passing || this.clock.monotonic() > end) throw error
        await sleep(this.clock, RETRY_MS, signal)
      }
    }
  }
}
