/**
 * Telling a request's reader that it has ended, until the reader's gateway has said so or is gone (protocol rules 8, 15 ii).
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import { PRESENCE_TTL_MS } from '../bus/topology.ts'
import { type Clock, sleep } from '../clock.ts'
import { isVolleyError } from '../errors.ts'
import type { FinalState } from '../machine/types.ts'
import type { EndRequest, RequestRecord } from '../wire/hop.ts'

const TRY_MS = 500

/**
 * Watches one gateway for signs of its end. A missing presence key alone proves little (it ages out while the broker is
 * down): gone = the key was missing and nobody answered for twice its lifetime.
 */
export class GatewayWatch {
  private readonly bus: Bus
  private readonly clock: Clock
  private readonly gateway: string
  private silentSince: number | undefined

  constructor(bus: Bus, clock: Clock, gateway: string) {
    this.bus = bus
    this.clock = clock
    this.gateway = gateway
  }

  /** To be asked after every failed request to it. */
  async isGone(): Promise<boolean> {
    let present = true
    try {
      present = (await this.bus.bucket('volley_gateways').get(this.gateway)) !== undefined
    } catch (error) {
      if (!isVolleyError(error, 'bus_timeout')) throw error
    }
    const now = this.clock.monotonic()
    if (present) this.silentSince = undefined
    else this.silentSince ??= now
    return this.silentSince !== undefined && now - this.silentSince >= 2 * PRESENCE_TTL_MS
  }

  answered(): void {
    this.silentSince = undefined
  }
}

/** END until it is answered, the gateway is gone, or the signal fires (then it rejects). */
export async function endReader(bus: Bus, clock: Clock, id: string, record: RequestRecord, signal?: AbortSignal): Promise<void> {
  if (record.gateway === '') return
  const body: EndRequest = { state: record.state as FinalState, id, ...(record.error ? { error: record.error } : {}) }
  const watch = new GatewayWatch(bus, clock, record.gateway)
  while (true) {
    try {
      await bus.request(subjects.end(record.gateway), JSON.stringify(body), { timeoutMs: TRY_MS, ...(signal ? { signal } : {}) })
      return
    } catch (error) {
      if (isVolleyError(error, 'cancelled') || signal?.aborted) throw error
      if (await watch.isGone()) return
      await sleep(clock, 100, signal)
    }
  }
}
