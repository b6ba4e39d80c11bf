/**
 * The life of each request of a run as one record: when it came, which instance did which phase and when, how it ended.
 * Keeps those in flight and hands each on as it ends.
 * @module
 */
import type { SimInstance, SimRequest } from './instance.ts'
import { SimObserver, type SimStatus } from './observer.ts'

/** One phase on one instance. */
interface PhaseSpan {
  phase: 'prefill' | 'transfer' | 'decode'
  instance: string
  startMs: number
  /** Null = it never ended. */
  endMs: number | null
}

/** What is told of a request; times are virtual ms from the start of the run. */
export interface RequestRecord {
  request: number
  status: SimStatus
  inputTokens: number
  outputTokens: number
  arrivedMs: number
  endedMs: number
  ttftMs: number | null
  tpotMs: number | null
  transferredBytes: number
  /** In order; waits are what lies between. A preempted request has its prefill twice. */
  phases: PhaseSpan[]
}

const round = (ms: number): number => Number(ms.toFixed(3))

/** Hands on a record whenever a request has ended. */
export class RequestRecorder extends SimObserver {
  private readonly open = new Map<SimRequest, PhaseSpan[]>()
  private readonly write: (record: RequestRecord) => void

  constructor(write: (record: RequestRecord) => void) {
    super()
    this.write = write
  }

  override arrived(request: SimRequest): void {
    this.open.set(request, [])
  }

  override iterating(instance: SimInstance, nowMs: number): void {
    for (const { request } of instance.chunks) if (request.done === 0) this.begin(request, 'prefill', instance, nowMs)
    for (const request of instance.fresh) this.begin(request, 'decode', instance, nowMs)
  }

  override prefilled(request: SimRequest, _instance: SimInstance, nowMs: number): void {
    this.end(request, nowMs)
  }

  override transferring(request: SimRequest, to: SimInstance, nowMs: number): void {
    this.begin(request, 'transfer', to, nowMs)
  }

  override transferred(request: SimRequest, _from: SimInstance, _to: SimInstance, nowMs: number): void {
    this.end(request, nowMs)
  }

  override ended(request: SimRequest, status: SimStatus, nowMs: number): void {
    if (status === 'finished') this.end(request, nowMs)
    const phases = this.open.get(request) ?? []
    this.open.delete(request)
    const { id, input, output, arrivedMs, firstMs, movedBytes } = request
    const started = !Number.isNaN(firstMs)
    this.write({
      request: id,
      status,
      inputTokens: input,
      outputTokens: output,
      arrivedMs: round(arrivedMs),
      endedMs: round(nowMs),
      ttftMs: started ? round(firstMs - arrivedMs) : null,
      tpotMs: status === 'finished' && output > 1 ? round((nowMs - firstMs) / (output - 1)) : null,
      transferredBytes: movedBytes,
      phases,
    })
  }

  override finished(nowMs: number): void {
    for (const request of this.open.keys()) this.ended(request, 'failed', nowMs)
  }

  private begin(request: SimRequest, phase: PhaseSpan['phase'], { id }: SimInstance, nowMs: number): void {
    // A decode whose KV was given up ends where its prefill begins again.
    this.end(request, nowMs)
    this.open.get(request)?.push({ phase, instance: id, startMs: round(nowMs), endMs: null })
  }

  private end(request: SimRequest, nowMs: number): void {
    const last = this.open.get(request)?.at(-1)
    if (last?.endMs === null) last.endMs = round(nowMs)
  }
}
