/**
 * KV that an instance keeps for requests between their hops, each under a lease (protocol rule 17): renewed while the
 * request's own job works here or a receiver pulls, freed on completion, at lease end, or when the request has ended.
 * @module
 */
import { KV_LEASE_MS } from '../bus/topology.ts'
import type { Clock } from '../clock.ts'

interface Hold {
  request: string
  attempt: number
  leaseUntil: number
}

export class Holds {
  private readonly clock: Clock
  private readonly free: (hold: string) => void
  private readonly holds = new Map<string, Hold>()
  private readonly stopSweep: () => void

  /** `free` gives the bytes up (engine and transfer plane). */
  constructor(clock: Clock, free: (hold: string) => void) {
    this.clock = clock
    this.free = free
    this.stopSweep = every(clock, KV_LEASE_MS / 6, () => this.sweep())
  }

  /** Keeps it under a fresh lease; what older attempts of the request left here is freed. */
  keep(hold: string, request: string, attempt: number): void {
    this.releaseRequest(request, attempt)
    this.holds.set(hold, { request, attempt, leaseUntil: this.clock.monotonic() + KV_LEASE_MS })
  }

  has(hold: string): boolean {
    return this.holds.has(hold)
  }

  /** Renews all leases of a request. */
  renew(request: string): void {
    for (const hold of this.holds.values()) {
      if (hold.request === request) hold.leaseUntil = this.clock.monotonic() + KV_LEASE_MS
    }
  }

  release(hold: string): void {
    if (this.holds.delete(hold)) this.free(hold)
  }

  /** Frees what a request holds here; `below`: only what older attempts left. */
  releaseRequest(request: string, below = Infinity): void {
    for (const [name, hold] of this.holds) if (hold.request === request && hold.attempt < below) this.release(name)
  }

  /** Frees what one attempt of a request has kept here. */
  releaseAttempt(request: string, attempt: number): void {
    for (const [name, hold] of this.holds) if (hold.request === request && hold.attempt === attempt) this.release(name)
  }

  /** Requests that hold something here. */
  requests(): string[] {
    return [...new Set([...this.holds.values()].map((h) => h.request))]
  }

  get size(): number {
    return this.holds.size
  }

  close(): void {
    this.stopSweep()
    for (const name of [...this.holds.keys()]) this.release(name)
  }

  private sweep(): void {
    const now = this.clock.monotonic()
    for (const [name, hold] of this.holds) if (hold.leaseUntil <= now) this.release(name)
  }
}

/** Calls `work` every `ms` until the returned function is called. */
export function every(clock: Clock, ms: number, work: () => void): () => void {
  let cancel = clock.setTimer(ms, tick)
  function tick() {
    cancel = clock.setTimer(ms, tick)
    work()
  }
  return () => cancel()
}
