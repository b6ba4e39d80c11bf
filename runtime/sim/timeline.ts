/**
 * Virtual time: what happens when. Steps are ordered by time, then by instance; bytes move over links that nobody shares
 * or that all share; what needs the broker waits while that is away. Knows no request.
 * @module
 */
import { Heap, type Keyed } from './heap.ts'
import type { SimInstance } from './instance.ts'
import { type Flow, Links } from './links.ts'

/** How KV moves between instances. */
export interface Link {
  readonly bytesPerMs: number
  readonly latencyMs: number
}

/** 50 GB/s and 2 ms. */
export const DEFAULT_LINK: Link = { bytesPerMs: 50e6, latencyMs: 2 }

/** Kinds of steps, in the order in which those of one instance at one time happen. */
const KINDS = ['iterated', 'transferred', 'up', 'other'] as const
export type Step = (typeof KINDS)[number]

interface Event extends Keyed {
  then: () => void
}

export class Timeline {
  nowMs = 0
  private readonly events = new Heap<Event>()
  private readonly link: Link
  private readonly links: Links | undefined
  private readonly landing = new Map<Flow, () => void>()
  private parked: (() => void)[] = []
  private outageUntilMs = -1

  /** `sharedBytesPerMs` = rate of every instance's own link, where transfers share them. */
  constructor(link: Link, sharedBytesPerMs: number | undefined) {
    this.link = link
    this.links = sharedBytesPerMs === undefined ? undefined : new Links(sharedBytesPerMs)
  }

  /** Of the next step; Infinity = there is none. */
  get nextMs(): number {
    const eventMs = this.events.peek()?.at ?? Infinity
    return this.links === undefined ? eventMs : Math.min(eventMs, this.links.nextMs)
  }

  /** Runs the next step, whose time must have come. */
  next(): void {
    if (this.links !== undefined && this.links.nextMs <= this.nowMs) {
      for (const flow of this.links.ended(this.nowMs)) {
        this.landing.get(flow)!()
        this.landing.delete(flow)
      }
    } else this.events.pop()!.then()
  }

  /** A step of an instance, unless it has died by then. */
  later(step: Step, instance: SimInstance, inMs: number, then: () => void): void {
    const { life } = instance
    this.at(this.nowMs + inMs, instance.index * KINDS.length + KINDS.indexOf(step), () => {
      if (life === instance.life) then()
    })
  }

  /** A step of whatever instance is alive, or of none. Of equal times the lower rank is first. */
  at(atMs: number, rank: number, then: () => void): void {
    this.events.push({ at: atMs, rank, then })
  }

  /** Moves bytes from one instance to another. */
  move(from: SimInstance, to: SimInstance, bytes: number, then: () => void): void {
    const rank = to.index * KINDS.length + KINDS.indexOf('transferred')
    const { bytesPerMs, latencyMs } = this.link
    if (this.links === undefined) return this.at(this.nowMs + bytes / bytesPerMs + latencyMs, rank, then)
    const flow = this.links.start(from.index, to.index, bytes, this.nowMs)
    this.landing.set(flow, () => this.at(this.nowMs + latencyMs, rank, then))
  }

  /** Takes off the links what comes from or goes to an instance; whoever waits for it is told at once. */
  cut({ index }: SimInstance): void {
    for (const [flow, then] of this.landing) {
      if (flow.from !== index && flow.to !== index) continue
      this.landing.delete(flow)
      this.links!.cancel(flow, this.nowMs)
      then()
    }
  }

  get brokerIsAway(): boolean {
    return this.nowMs < this.outageUntilMs
  }

  /** A step that needs the broker: now, or when it is back, in order. */
  byBroker(then: () => void): void {
    if (this.brokerIsAway) this.parked.push(then)
    else then()
  }

  /** The broker goes away for so long; `back` is called once it is back and what has waited for it is done. */
  loseBroker(durationMs: number, back: () => void): void {
    this.outageUntilMs = Math.max(this.outageUntilMs, this.nowMs + durationMs)
    this.at(this.nowMs + durationMs, -1, () => {
      if (this.brokerIsAway) return
      const { parked } = this
      this.parked = []
      for (const then of parked) then()
      back()
    })
  }
}
