/**
 * A broker in memory: subjects, one work queue with leases, an events stream and buckets, on a handed-in clock. It keeps
 * what a real server keeps and forgets what a real one forgets; `memory.ts` is the client's side.
 * @module
 */
import type { Clock } from '../clock.ts'
import { VolleyError } from '../errors.ts'
import type { AppendOptions, BucketName, PutOptions } from './bus.ts'
import { ACK_WAIT_MS, BUCKETS, DUPLICATE_WINDOW_MS } from './topology.ts'

export interface StoredHop {
  seq: number
  subject: string
  data: Uint8Array
  deliveries: number
  /** Under lease until then (virtual monotonic ms); 0 = free to hand out. */
  leaseUntil: number
  expiresAt: number
}

interface KvEntry {
  value: Uint8Array
  revision: number
  expiresAt: number
}

export interface Sub {
  pattern: string[]
  queue: string | undefined
  deliver: (subject: string, data: Uint8Array, reply: string | undefined) => void
}

interface Waiter {
  phase: string
  max: number
  give: (hops: StoredHop[]) => void
}

/** Subjects of the events stream. */
const isKept = (subject: string): boolean => subject.startsWith('volley.v1.evt.') || subject.startsWith('volley.v1.dec.')

/** Whether a subject falls under a pattern with `*` and `>`. */
export function matches(pattern: string[], subject: string): boolean {
  const tokens = subject.split('.')
  for (const [i, p] of pattern.entries()) {
    if (p === '>') return tokens.length > i
    if (tokens[i] === undefined || (p !== '*' && p !== tokens[i])) return false
  }
  return tokens.length === pattern.length
}

export class MemoryServer {
  readonly clock: Clock
  /** False while the broker is down: nothing is answered, core messages are lost. */
  up = true
  readonly subs = new Set<Sub>()
  readonly reconnects = new Set<() => void>()
  readonly hops = new Map<number, StoredHop>()
  readonly events: { seq: number; subject: string; data: Uint8Array }[] = []
  readonly buckets = new Map<string, Map<string, KvEntry>>()
  private readonly watchers = new Set<{ bucket: string; onChange: (key: string) => void }>()
  private readonly seen = new Map<string, { seq: number; at: number }>()
  private readonly schedules = new Map<string, () => void>()
  private waiters: Waiter[] = []
  private seq = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Core delivery: everybody listening, one of each queue group. Answers how many got it. */
  route(subject: string, data: Uint8Array, reply?: string): number {
    if (!this.up) return 0
    const groups = new Set<string>()
    let count = 0
    for (const sub of [...this.subs]) {
      if (!matches(sub.pattern, subject)) continue
      if (sub.queue !== undefined) {
        if (groups.has(sub.queue)) continue
        groups.add(sub.queue)
      }
      count++
      sub.deliver(subject, data, reply)
    }
    if (isKept(subject)) this.events.push({ seq: ++this.seq, subject, data })
    return count
  }

  append(subject: string, data: Uint8Array, options: AppendOptions): { seq: number; duplicate: boolean } {
    const { msgId, ttlMs, schedule, expectLastSeq } = options
    const now = this.clock.monotonic()
    const before = msgId === undefined ? undefined : this.seen.get(msgId)
    if (before && now - before.at < DUPLICATE_WINDOW_MS) return { seq: before.seq, duplicate: true }
    if (expectLastSeq !== undefined) {
      const last = Math.max(0, ...[...this.hops.values()].filter((h) => h.subject === subject).map((h) => h.seq))
      if (last !== expectLastSeq) throw new VolleyError('bus_conflict', `Cannot append to ${subject}: last sequence is ${last}`)
    }
    const seq = ++this.seq
    if (msgId !== undefined) this.seen.set(msgId, { seq, at: now })
    if (isKept(subject)) this.events.push({ seq, subject, data })
    else if (schedule) {
      this.schedules.get(subject)?.()
      const cancel = this.clock.setTimer(Math.max(0, schedule.atMs - this.clock.now()), () => {
        this.schedules.delete(subject)
        this.store(schedule.target, data, Infinity)
      })
      this.schedules.set(subject, cancel)
    } else this.store(subject, data, ttlMs === undefined ? Infinity : now + ttlMs, seq)
    return { seq, duplicate: false }
  }

  private store(subject: string, data: Uint8Array, expiresAt: number, seq = ++this.seq): void {
    this.hops.set(seq, { seq, subject, data, deliveries: 0, leaseUntil: 0, expiresAt })
    this.handOut()
  }

  /** Registers a pull; the answer comes at once or when a hop of the phase is free. The returned function withdraws it. */
  pull(phase: string, max: number, give: (hops: StoredHop[]) => void): () => void {
    const waiter: Waiter = { phase, max, give }
    this.waiters.push(waiter)
    this.handOut()
    return () => {
      this.waiters = this.waiters.filter((w) => w !== waiter)
    }
  }

  private handOut(): void {
    if (!this.up) return
    const now = this.clock.monotonic()
    for (const waiter of [...this.waiters]) {
      const ready: StoredHop[] = []
      for (const hop of this.hops.values()) {
        if (hop.expiresAt <= now) this.hops.delete(hop.seq)
        else if (ready.length < waiter.max && hop.leaseUntil <= now && hop.subject.split('.')[3] === waiter.phase) ready.push(hop)
      }
      if (ready.length === 0) continue
      this.waiters = this.waiters.filter((w) => w !== waiter)
      for (const hop of ready) {
        hop.deliveries++
        this.lease(hop)
      }
      waiter.give(ready)
    }
  }

  private lease(hop: StoredHop): void {
    const until = this.clock.monotonic() + ACK_WAIT_MS
    hop.leaseUntil = until
    this.clock.setTimer(ACK_WAIT_MS, () => {
      if (this.hops.get(hop.seq) === hop && hop.leaseUntil === until) this.handOut()
    })
  }

  /** A word on an ack subject. As on a real server a stale one acts all the same: fencing is the protocol's business. */
  acknowledge(ackSubject: string, word: '+ACK' | '+WPI'): void {
    const hop = this.hops.get(Number(ackSubject.split('.').at(-1)))
    if (!hop || !this.up) return
    if (word === '+ACK') this.hops.delete(hop.seq)
    else this.lease(hop)
  }

  purge(pattern: string): void {
    const tokens = pattern.split('.')
    for (const hop of this.hops.values()) if (matches(tokens, hop.subject)) this.hops.delete(hop.seq)
    for (const [subject, cancel] of this.schedules) {
      if (!matches(tokens, subject)) continue
      cancel()
      this.schedules.delete(subject)
    }
  }

  /** Timers not yet fired, for tests that look for leftovers. */
  scheduled(): string[] {
    return [...this.schedules.keys()]
  }

  get(bucket: BucketName, key: string): KvEntry | undefined {
    const entry = this.buckets.get(bucket)?.get(key)
    return entry && entry.expiresAt > this.clock.monotonic() ? entry : undefined
  }

  put(bucket: BucketName, key: string, value: Uint8Array, { expect, ttlMs }: PutOptions): number {
    const current = this.get(bucket, key)?.revision ?? 0
    if (expect !== undefined && current !== expect) {
      throw new VolleyError('bus_conflict', `Cannot write ${bucket}/${key}: revision is ${current}, not ${expect}`)
    }
    const entries = this.buckets.get(bucket) ?? new Map<string, KvEntry>()
    this.buckets.set(bucket, entries)
    const entry = { value, revision: ++this.seq, expiresAt: ttlMs === undefined ? Infinity : this.clock.monotonic() + ttlMs }
    entries.set(key, entry)
    if (BUCKETS[bucket].history > 1) this.events.push({ seq: entry.revision, subject: `$KV.${bucket}.${key}`, data: value })
    if (ttlMs !== undefined) {
      this.clock.setTimer(ttlMs, () => {
        if (entries.get(key) !== entry) return
        entries.delete(key)
        this.changed(bucket, key)
      })
    }
    this.changed(bucket, key)
    return entry.revision
  }

  delete(bucket: BucketName, key: string): void {
    if (this.buckets.get(bucket)?.delete(key)) this.changed(bucket, key)
  }

  watch(bucket: BucketName, onChange: (key: string) => void): () => void {
    const watcher = { bucket, onChange }
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  private changed(bucket: string, key: string): void {
    for (const w of [...this.watchers]) if (w.bucket === bucket) w.onChange(key)
  }

  /**
   * kill -9 and restart after `downMs`: stored things stay, core messages and waiting pulls are gone, and a delivery
   * under way may be counted again under the same number.
   */
  restart(downMs: number): void {
    this.up = false
    this.waiters = []
    for (const hop of this.hops.values()) if (hop.leaseUntil > this.clock.monotonic()) hop.deliveries--
    this.clock.setTimer(downMs, () => {
      this.up = true
      for (const callback of [...this.reconnects]) callback()
      this.handOut()
    })
  }
}
