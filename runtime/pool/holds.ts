/**
 * KV that an instance keeps for requests between their hops, each under a lease (protocol rule 17): renewed while the
 * request's own job works here, a receiver pulls, or its record still asks for it; freed on completion, or when the request
 * has gone on or ended.
 * @module
 */
import { KV_LEASE_MS } from '../bus/topology.ts'
import type { Clock } from '../clock.ts'

interface Hold {
  request: string
  attempt: number
  tokens: number
  /** No decode runs on it yet: it is room that waits for more room. */
  waiting: boolean
  leaseUntil: number
}

export interface HoldsOptions {
  clock: Clock
  /** Gives the bytes up (engine and transfer plane). */
  free: (hold: string) => void
  /** Whether the request's record still asks for this hold; asked at the end of a lease. */
  wanted: (request: string, hold: string) => Promise<boolean>
}

export class Holds {
  private readonly options: HoldsOptions
  private readonly holds = new Map<string, Hold>()
  /** Tokens by request. */
  private readonly expected = new Map<string, number>()
  private readonly stopSweep: () => void

  constructor(options: HoldsOptions) {
    this.options = options
    this.stopSweep = every(options.clock, KV_LEASE_MS / 6, () => this.sweep())
  }

  /** A hop was taken that will hold so many tokens: counted as waiting until `keep`, `unexpect` or the request's release. */
  expect(request: string, tokens: number): void {
    this.expected.set(request, tokens)
  }

  unexpect(request: string): void {
    this.expected.delete(request)
  }

  /** Keeps it under a fresh lease; what older attempts of the request left here is freed. Said again, it renews. */
  keep(hold: string, request: string, attempt: number, tokens: number): void {
    this.expected.delete(request)
    this.releaseRequest(request, attempt)
    const leaseUntil = this.options.clock.monotonic() + KV_LEASE_MS
    this.holds.set(hold, { request, attempt, tokens, waiting: true, leaseUntil })
  }

  has(hold: string): boolean {
    return this.holds.has(hold)
  }

  /** Its decode runs: it does not wait for room any more. */
  settle(hold: string): void {
    const found = this.holds.get(hold)
    if (found) found.waiting = false
  }

  /** Tokens of prompts whose decode does not run yet, those included that have just been taken. */
  get waitingTokens(): number {
    const held = [...this.holds.values()].reduce((sum, h) => sum + (h.waiting ? h.tokens : 0), 0)
    return [...this.expected.values()].reduce((sum, tokens) => sum + tokens, held)
  }

  /** Renews all leases of a request. */
  renew(request: string): void {
    for (const hold of this.holds.values()) {
      if (hold.request === request) hold.leaseUntil = this.options.clock.monotonic() + KV_LEASE_MS
    }
  }

  release(hold: string): void {
    if (this.holds.delete(hold)) this.options.free(hold)
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
    const now = this.options.clock.monotonic()
    for (const [name, hold] of this.holds) {
      if (hold.leaseUntil > now) continue
      // While the answer is on its way the lease stands; a broker that does not answer is asked again at the next sweep.
      void this.options.wanted(hold.request, name).then(
        (wanted) => (wanted ? this.renew(hold.request) : this.release(name)),
        () => undefined,
      )
    }
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
