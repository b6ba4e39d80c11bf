/**
 * A run as a Chrome trace (trace-event format, opens in Perfetto and chrome://tracing): a process for each instance with
 * tracks for prefill and decode batches, transfers as asynchronous spans, flips as instants, queues and labels as
 * counters. Written as it happens, so it takes no memory.
 * @module
 */
import type { Label } from '../policy/policy.ts'
import type { SimInstance, SimRequest } from './instance.ts'
import { type Flip, SimObserver } from './observer.ts'

/** More spans than this no viewer opens with pleasure: batches after them are left out, flips and counters go on. */
const MAX_SPANS = 500_000
/** Counters are set this often, and only when they have changed. */
const COUNTER_MS = 1_000

const PREFILL = 1
const DECODE = 2
const TRACKS = { [PREFILL]: 'prefill batches', [DECODE]: 'decode batches' } as const

/** Writes events as text; what is written is whole once the run has finished. */
export class ChromeTrace extends SimObserver {
  /** Spans left out. */
  omitted = 0
  private spans = 0
  private events = 0
  private nextCounterMs = 0
  private readonly write: (text: string) => void
  /** When an instance's iteration began; index = instance. */
  private readonly began: number[] = []
  private readonly counters = new Map<string, string>()
  /** Receiver of each transfer that has begun. */
  private readonly receivers = new Map<SimRequest, SimInstance>()
  private named = false

  constructor(write: (text: string) => void, name: string) {
    super()
    this.write = write
    write(`{"displayTimeUnit":"ms","otherData":${JSON.stringify({ run: name })},"traceEvents":[`)
  }

  override iterating(instance: SimInstance, nowMs: number): void {
    this.began[instance.index] = nowMs
  }

  override iterated(instance: SimInstance, nowMs: number): void {
    const { chunks, batch, runningTokens } = instance
    const startMs = this.began[instance.index]!
    if (chunks.length > 0) {
      const tokens = chunks.reduce((sum, chunk) => sum + chunk.tokens, 0)
      this.span(instance, PREFILL, `prefill ${tokens}`, startMs, nowMs, {
        tokens,
        requests: chunks.map(({ request }) => request.id),
      })
    }
    if (batch > 0) {
      this.span(instance, DECODE, `decode ${batch}`, startMs, nowMs, {
        sequences: batch,
        residentTokens: runningTokens,
      })
    }
  }

  override transferring(request: SimRequest, to: SimInstance, nowMs: number): void {
    if (this.spans >= MAX_SPANS) return void this.omitted++
    this.spans++
    this.receivers.set(request, to)
    this.async('b', request, nowMs, to, { from: request.holder!.id, to: to.id, tokens: request.input })
  }

  override transferred(request: SimRequest, _from: SimInstance, to: SimInstance, nowMs: number): void {
    if (this.receivers.delete(request)) this.async('e', request, nowMs, to, {})
  }

  override flipped({ instance, label, reason, atMs }: Flip, from: Label | undefined): void {
    this.emit({
      name: `${from ?? 'unlabelled'} → ${label}`,
      ph: 'i',
      s: 'p',
      pid: this.pids.get(instance) ?? 0,
      tid: PREFILL,
      ts: micros(atMs),
      args: { reason },
    })
  }

  override sampled(instances: readonly SimInstance[], nowMs: number): void {
    if (!this.named) this.name(instances)
    if (nowMs < this.nextCounterMs) return
    this.nextCounterMs = nowMs + COUNTER_MS
    for (const { index, label, prefillTokens, decodeTokens, kvUsed } of instances) {
      this.counter(index + 1, 'tokens', nowMs, { 'waiting for prefill': prefillTokens, 'in decode': decodeTokens })
      this.counter(index + 1, 'KV tokens reserved', nowMs, { tokens: kvUsed })
      const carries = (phase: string) => Number(label?.split('+').includes(phase) ?? false)
      this.counter(index + 1, 'label', nowMs, {
        prefill: carries('prefill'),
        decode: carries('decode'),
        encode: carries('encode'),
      })
    }
  }

  /** Closes what is open, and the file. */
  override finished(nowMs: number): void {
    for (const [request, to] of this.receivers) this.async('e', request, nowMs, to, { unfinished: true })
    this.write('\n]}\n')
  }

  private readonly pids = new Map<string, number>()

  private name(instances: readonly SimInstance[]): void {
    this.named = true
    for (const { id, index } of instances) {
      const pid = index + 1
      this.pids.set(id, pid)
      this.emit({ name: 'process_name', ph: 'M', pid, tid: 0, args: { name: id } })
      this.emit({ name: 'process_sort_index', ph: 'M', pid, tid: 0, args: { sort_index: index } })
      for (const [tid, name] of Object.entries(TRACKS)) {
        this.emit({ name: 'thread_name', ph: 'M', pid, tid: Number(tid), args: { name } })
      }
    }
  }

  private span(at: SimInstance, tid: number, name: string, startMs: number, endMs: number, args: object): void {
    if (this.spans >= MAX_SPANS) return void this.omitted++
    this.spans++
    const ts = micros(startMs)
    this.emit({ name, cat: 'batch', ph: 'X', pid: at.index + 1, tid, ts, dur: micros(endMs) - ts, args })
  }

  private async(ph: 'b' | 'e', request: SimRequest, nowMs: number, to: SimInstance, args: object): void {
    const id = `0x${request.id.toString(16)}`
    this.emit({ name: 'KV transfer', cat: 'transfer', ph, id, pid: to.index + 1, tid: DECODE, ts: micros(nowMs), args })
  }

  private counter(pid: number, name: string, nowMs: number, args: Record<string, number>): void {
    const key = `${pid} ${name}`
    const text = JSON.stringify(args)
    if (this.counters.get(key) === text) return
    this.counters.set(key, text)
    this.emit({ name, ph: 'C', pid, tid: 0, ts: micros(nowMs), args })
  }

  private emit(event: object): void {
    this.write(`${this.events++ === 0 ? '' : ','}\n${JSON.stringify(event)}`)
  }
}

/** The format counts in microseconds. */
const micros = (ms: number): number => Math.round(ms * 1_000)
