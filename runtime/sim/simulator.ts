/**
 * The second host of the machine and the policies: a virtual clock, simulated engines and links. Arrivals are handed in
 * one after the other, so a trace of any length runs in the memory of what is in flight. Same input, same output.
 * @module
 */
import {
  type ClusterView,
  type Decision,
  type Label,
  type LabelChange,
  place,
  type Policy,
  type PolicyState,
  type Slo,
} from '../policy/policy.ts'
import type { CostProfile } from '../policy/profile.ts'
import {
  admitStaying,
  assignDecode,
  DEFAULT_LINK,
  endDecode,
  endTransfer,
  type Link,
  preempt,
  release,
  startTransfer,
} from './admission.ts'
import { type ChartNode, compileChart, type SimEvent, TEXT_INPUT } from './chart.ts'
import { victims } from './deadlock.ts'
import { Heap, type Keyed } from './heap.ts'
import { type Batching, MODEL, SimInstance, type SimProfile, type SimRequest } from './instance.ts'
import { endIteration, startIteration } from './iteration.ts'
import type { SimObserver } from './observer.ts'
import { Outcomes, type SimResult } from './outcomes.ts'

/** Options for {@linkcode Simulation}. */
export interface SimOptions {
  policy: Policy
  profile: SimProfile
  slo: Slo
  /** Label of each instance at the start; undefined = takes any phase. */
  labels: readonly (Label | undefined)[]
  /** What policies are told of the costs. @default {profile} */
  believed?: CostProfile
  /** @default {2048 prefill tokens beside decodes} */
  batching?: Batching
  /** Most requests in work on an instance that decodes what it prefills, as `max_num_seqs` of vLLM. @default {Infinity} */
  maxSequences?: number
  /**
   * KV of a request that is decoded where it was prefilled: its whole output is reserved, or it grows token by token and
   * the youngest gives way when there is no room. @default {'reserved'}
   */
  kv?: 'reserved' | 'growing'
  /** @default {50 GB/s and 2 ms, each receiver pulling one at a time} */
  link?: Link
  /** Time an instance starts nothing after its label has changed: what a flip would cost elsewhere. @default {0} */
  restartMs?: number
  /** Monitoring interval. @default {1000} */
  tickMs?: number
  /** The run ends so long after the last arrival; what is unfinished then has failed. @default {200000} */
  tailMs?: number
  /** Sees the run go by; changes nothing. */
  observer?: SimObserver | undefined
  /** Told of every flip. */
  onFlip?: (flip: Flip) => void
  /** Told of every request that has ended well. */
  onDone?: (request: SimRequest, nowMs: number) => void
}

/** A label that has changed. */
export interface Flip extends LabelChange {
  atMs: number
}

type Kind = 'iterated' | 'transferred' | 'up'
const KINDS: readonly Kind[] = ['iterated', 'transferred', 'up']
interface Event extends Keyed {
  kind: Kind
  instance: SimInstance
}

/** Between two looks of an observer. */
const SAMPLE_MS = 250

/** Gone through by every simulation: the chart is compiled once. */
let chart: ChartNode | undefined

export class Simulation {
  readonly instances: readonly SimInstance[]
  readonly outcomes: Outcomes
  private readonly options: SimOptions & Required<Pick<SimOptions, 'link' | 'restartMs' | 'tickMs' | 'tailMs'>>
  private readonly byId: ReadonlyMap<string, SimInstance>
  private readonly start: ChartNode
  private readonly events = new Heap<Event>()
  private readonly clock = { nowMs: 0 }
  private readonly view: { -readonly [K in keyof ClusterView]: ClusterView[K] }
  private state: PolicyState
  private nextTickMs: number
  private nextSampleMs: number
  /** Held back by the policy: asked again at every tick. */
  private held: SimRequest[] = []

  constructor(options: SimOptions) {
    const { labels, profile, believed = profile, batching = { chunkTokens: 2_048 }, link = DEFAULT_LINK } = options
    const { maxSequences = Infinity, kv = 'reserved', restartMs = 0, tickMs = 1_000, tailMs = 200_000 } = options
    const growing = kv === 'growing'
    this.options = { ...options, link, restartMs, tickMs, tailMs }
    chart ??= compileChart('llm', TEXT_INPUT)
    this.start = chart
    const width = String(labels.length - 1).length
    this.instances = labels.map((label, index) => {
      const id = `i${String(index).padStart(width, '0')}`
      return new SimInstance({ id, index, label, profile, believed, batching, maxSequences, growing, clock: this.clock })
    })
    this.byId = new Map(this.instances.map((i) => [i.id, i]))
    this.view = { instances: this.instances, placements: 0, nowMs: 0, slo: options.slo }
    this.outcomes = new Outcomes(options.slo)
    this.state = options.policy.initial
    this.nextTickMs = tickMs
    this.nextSampleMs = options.observer ? 0 : Infinity
  }

  get nowMs(): number {
    return this.clock.nowMs
  }

  /** The next arrival; `atMs` never goes back. */
  offer(atMs: number, input: number, output: number): void {
    this.runTo(atMs)
    this.clock.nowMs = atMs
    const request: SimRequest = {
      id: this.outcomes.offered++,
      rank: this.outcomes.offered,
      at: 0,
      arrivedMs: atMs,
      input,
      output,
      redo: 0,
      node: this.start,
      done: 0,
      firstMs: NaN,
      secondMs: NaN,
      prefiller: undefined,
      holder: undefined,
      reserved: 0,
      target: undefined,
      here: false,
      decodeAt: undefined,
      movedBytes: 0,
    }
    this.options.observer?.arrived(request)
    if (input + output > this.options.profile.kvTokens) {
      this.outcomes.rejected++
      this.options.observer?.ended(request, 'rejected', atMs)
      return this.walk(request, 'FAIL')
    }
    this.placePrefill(request)
  }

  /** Runs until everything is done, or the tail after the last arrival has passed. */
  finish(): SimResult {
    const endMs = this.clock.nowMs + this.options.tailMs
    while (!this.outcomes.settled && this.nextMs() <= endMs) this.runTo(this.nextMs())
    this.options.observer?.finished(this.clock.nowMs)
    return this.outcomes.result()
  }

  private nextMs(): number {
    return Math.min(this.nextTickMs, this.events.peek()?.at ?? Infinity)
  }

  private runTo(untilMs: number): void {
    for (;;) {
      const next = this.events.peek()
      const ticks = this.nextTickMs <= (next?.at ?? Infinity)
      const at = ticks ? this.nextTickMs : next!.at
      while (this.nextSampleMs <= Math.min(at, untilMs)) this.sample()
      if (at > untilMs) return
      this.clock.nowMs = at
      if (ticks) this.tick()
      else this.happen(this.events.pop()!)
    }
  }

  private sample(): void {
    this.options.observer!.sampled(this.instances, this.nextSampleMs)
    this.nextSampleMs += SAMPLE_MS
  }

  private happen({ kind, instance }: Event): void {
    if (kind === 'iterated') this.iterated(instance)
    else if (kind === 'transferred') {
      const { request, sender } = endTransfer(instance)
      this.options.observer?.transferred(request, sender, instance, this.clock.nowMs)
      this.walk(request, 'TRANSFERRED')
      this.settle(sender)
    }
    this.settle(instance)
  }

  private iterated(instance: SimInstance): void {
    const { nowMs } = this.clock
    this.options.observer?.iterated(instance, nowMs)
    const { prefilled, decoded } = endIteration(instance, nowMs)
    for (const request of decoded) {
      endDecode(request)
      this.walk(request, 'DECODED')
      this.outcomes.done(request, nowMs)
      this.options.observer?.ended(request, 'finished', nowMs)
      this.options.onDone?.(request, nowMs)
    }
    for (const request of prefilled) this.firstToken(request, instance)
  }

  private firstToken(request: SimRequest, instance: SimInstance): void {
    const { nowMs } = this.clock
    this.options.observer?.prefilled(request, instance, nowMs)
    if (Number.isNaN(request.firstMs)) {
      request.firstMs = nowMs
      this.outcomes.first(request)
    }
    if (request.output - request.redo === 1) {
      this.walk(request, request.redo > 0 ? 'DECODED' : 'FINISHED')
      release(request)
      this.outcomes.done(request, nowMs)
      this.options.observer?.ended(request, 'finished', nowMs)
      return this.options.onDone?.(request, nowMs)
    }
    // An engine that prefills a decode again does not tell: the request is where it was.
    if (request.redo === 0) this.walk(request, request.here ? 'PREFILLED_HERE' : 'PREFILLED')
    if (request.here) return assignDecode(request, instance)
    this.placeDecode(request)
  }

  private placePrefill(request: SimRequest): void {
    const decision = this.ask(request, 'prefill')
    if (decision.instance === undefined) return void this.held.push(request)
    const instance = this.byId.get(decision.instance)!
    request.prefiller = instance
    request.here = decision.decodeHere === true
    request.decodeAt = decision.decodeAt
    instance.enqueue(request)
    this.settle(instance)
  }

  private placeDecode(request: SimRequest): void {
    const decision = this.ask(request, 'transfer')
    if (decision.instance === undefined) return void this.held.push(request)
    const target = this.byId.get(decision.instance)!
    assignDecode(request, target)
    if (target !== request.holder) this.settle(target)
  }

  private ask(request: SimRequest, phase: 'prefill' | 'transfer'): Decision {
    this.view.nowMs = this.clock.nowMs
    const decision = place(this.options.policy, this.view, {
      id: String(request.id),
      phase,
      slots: phase === 'prefill' ? 'prefill' : 'decode',
      model: MODEL,
      promptTokens: request.input,
      maxTokens: 0,
      kvOwner: request.holder?.id,
      decodeAt: request.decodeAt,
    }, this.state)
    this.state = decision.state ?? this.state
    if (decision.instance !== undefined) this.view.placements++
    for (const change of decision.labels ?? []) this.flip(change)
    return decision
  }

  private flip(change: LabelChange): void {
    const instance = this.byId.get(change.instance)!
    if (instance.label === change.label) return
    const { nowMs } = this.clock
    const { restartMs, onFlip, observer } = this.options
    observer?.flipped({ ...change, atMs: nowMs }, instance.label)
    instance.label = change.label
    instance.labelSinceMs = nowMs
    this.outcomes.flips++
    onFlip?.({ ...change, atMs: nowMs })
    if (restartMs <= 0) return
    instance.downUntilMs = nowMs + restartMs
    this.schedule('up', instance, restartMs)
  }

  private tick(): void {
    this.nextTickMs += this.options.tickMs
    for (const instance of this.instances) instance.tick()
    const { policy } = this.options
    if (policy.onTick) {
      this.view.nowMs = this.clock.nowMs
      const { labels, state } = policy.onTick(this.view, this.state)
      this.state = state
      for (const change of labels) this.flip(change)
    }
    const held = this.held
    this.held = []
    for (const request of held) {
      if (request.holder) this.placeDecode(request)
      else this.placePrefill(request)
    }
    this.breakDeadlock()
  }

  private breakDeadlock(): void {
    const chosen = victims(this.instances)
    const holders = new Set(chosen.map((request) => request.holder!))
    for (const request of chosen) {
      preempt(request)
      this.outcomes.preempted++
      this.walk(request, 'KV_LOST')
    }
    // Whoever has waited takes the room before the preempted come back for it.
    for (const holder of holders) this.settle(holder)
    for (const request of chosen) {
      if (request.node.done) {
        this.outcomes.failed++
        this.options.observer?.ended(request, 'failed', this.clock.nowMs)
      } else this.placePrefill(request)
    }
  }

  /** Starts on an instance whatever can start there now. */
  private settle(instance: SimInstance): void {
    for (const request of admitStaying(instance)) if (!request.here) this.walk(request, 'LOCAL')
    const transferMs = startTransfer(instance, this.options.link, this.clock.nowMs)
    if (transferMs !== undefined) {
      this.options.observer?.transferring(instance.incoming!, instance, this.clock.nowMs)
      this.schedule('transferred', instance, transferMs)
    }
    if (instance.iterating || instance.down) return
    const iterationMs = startIteration(instance)
    this.outcomes.preempted += instance.evicted
    instance.evicted = 0
    if (iterationMs === undefined) return
    this.options.observer?.iterating(instance, this.clock.nowMs)
    this.schedule('iterated', instance, iterationMs)
  }

  private schedule(kind: Kind, instance: SimInstance, inMs: number): void {
    const rank = instance.index * KINDS.length + KINDS.indexOf(kind)
    this.events.push({ at: this.clock.nowMs + inMs, rank, kind, instance })
  }

  /** The request's chart takes its step; an event it does not answer would be a fault of this host. */
  private walk(request: SimRequest, event: SimEvent): void {
    const next = request.node.next[event]
    if (next === undefined) throw new Error(`The chart does not answer ${event} in ${request.node.state}`)
    request.node = next
  }
}
