/**
 * The second host of the machine and the policies: a virtual clock, simulated engines and links. Arrivals are handed in
 * one after the other, so a trace of any length runs in the memory of what is in flight. Same input, same output.
 * @module
 */
import {
  type ClusterView,
  type Decision,
  type LabelChange,
  place,
  type PlaceRequest,
  type PolicyState,
} from '../policy/policy.ts'
import {
  admitStaying,
  assignDecode,
  endDecode,
  endTransfer,
  kvBytes,
  preempt,
  release,
  startTransfer,
} from './admission.ts'
import { llmStart, type SimEvent } from './chart.ts'
import { victims } from './deadlock.ts'
import { bury, forget } from './death.ts'
import { encodeAnew, encoded, featureBytes, featuresLost, jobsOf } from './encode.ts'
import { arrange, type FaultHost } from './faults.ts'
import { type EncodeJob, MODEL, newRequest, SimInstance, type SimRequest } from './instance.ts'
import { endIteration, startIteration } from './iteration.ts'
import type { SimOptions } from './options.ts'
import { Outcomes, type SimResult } from './outcomes.ts'
import { DEFAULT_LINK, Timeline } from './timeline.ts'

export type { SimOptions } from './options.ts'

/** Between two looks of an observer. */
const SAMPLE_MS = 250
/** A hop whose instance is dead is delivered again after so long: the lease of production (docs/protocol.md). */
const LEASE_MS = 2_000
/** A dead instance is seen by the monitor loop for so long: the presence key of production. */
const PRESENCE_MS = 3_000

const NO_IMAGES: readonly number[] = []

export class Simulation {
  readonly instances: readonly SimInstance[]
  readonly outcomes: Outcomes
  private readonly options: SimOptions & Required<Pick<SimOptions, 'restartMs' | 'tickMs' | 'tailMs'>>
  private readonly byId: ReadonlyMap<string, SimInstance>
  private readonly clock: Timeline
  private readonly view: { -readonly [K in keyof ClusterView]: ClusterView[K] }
  private state: PolicyState
  private nextTickMs: number
  private nextSampleMs: number
  /** Held back by the policy: asked again at every tick. */
  private held: (() => void)[] = []
  /** Instances that take hops, and those that the monitor loop sees. */
  private alive: readonly SimInstance[]
  private present: readonly SimInstance[]

  constructor(options: SimOptions) {
    const { labels, profile, believed = profile, batching = { chunkTokens: 2_048 }, link = DEFAULT_LINK } = options
    const { maxSequences = Infinity, kv = 'reserved', restartMs = 0, tickMs = 1_000, tailMs = 200_000 } = options
    const growing = kv === 'growing'
    this.options = { ...options, restartMs, tickMs, tailMs }
    this.clock = new Timeline(link, options.linkBytesPerMs)
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
    this.alive = this.present = this.instances
    const host: FaultHost = {
      instances: this.byId,
      at: (atMs, then) => this.clock.at(atMs, -1, then),
      die: (instance) => this.die(instance),
      rise: (instance) => this.rise(instance),
      loseBroker: (durationMs) => this.loseBroker(durationMs),
    }
    arrange(options.faults ?? [], host)
  }

  get nowMs(): number {
    return this.clock.nowMs
  }

  /** The next arrival, with the tiles of each of its images; `atMs` never goes back. */
  offer(atMs: number, input: number, output: number, images: readonly number[] = NO_IMAGES): void {
    this.runTo(atMs)
    this.clock.nowMs = atMs
    const request = newRequest(this.outcomes.offered++, { atMs, input, output, images }, llmStart(images.length > 0))
    this.options.observer?.arrived(request)
    if (input + output > this.options.profile.kvTokens) {
      this.outcomes.rejected++
      this.options.observer?.ended(request, 'rejected', atMs)
      return this.walk(request, 'FAIL')
    }
    this.clock.byBroker(() => this.again(request))
  }

  /** Runs until everything is done, or the tail after the last arrival has passed. */
  finish(): SimResult {
    const endMs = this.clock.nowMs + this.options.tailMs
    while (!this.outcomes.settled && this.nextMs() <= endMs) this.runTo(this.nextMs())
    this.options.observer?.finished(this.clock.nowMs)
    return this.outcomes.result()
  }

  private nextMs(): number {
    return Math.min(this.nextTickMs, this.clock.nextMs)
  }

  private runTo(untilMs: number): void {
    for (;;) {
      const at = this.nextMs()
      while (this.nextSampleMs <= Math.min(at, untilMs)) this.sample()
      if (at > untilMs) return
      this.clock.nowMs = at
      if (this.nextTickMs === at) this.tick()
      else this.clock.next()
    }
  }

  private sample(): void {
    this.options.observer!.sampled(this.instances, this.nextSampleMs)
    this.nextSampleMs += SAMPLE_MS
  }

  private transferred(request: SimRequest, instance: SimInstance, pull: number): void {
    // Its sender or its receiver may have died meanwhile.
    if (instance.incoming !== request || instance.pulls !== pull) return
    const { sender } = endTransfer(instance)
    this.options.observer?.transferred(request, sender, instance, this.clock.nowMs)
    this.walk(request, 'TRANSFERRED')
    this.settle(sender)
    this.settle(instance)
  }

  private iterated(instance: SimInstance): void {
    this.options.observer?.iterated(instance, this.clock.nowMs)
    const { encoded: images, prefilled, decoded } = endIteration(instance, this.clock.nowMs)
    for (const request of decoded) this.onward(request, instance, () => this.lastToken(request))
    for (const job of images) this.onward(job.request, instance, () => this.imagesEncoded(job, instance), job)
    for (const request of prefilled) this.onward(request, instance, () => this.firstToken(request, instance))
    this.settle(instance)
  }

  /** A phase has ended on an instance. If that dies before the broker knows, the hop comes again. */
  private onward(request: SimRequest, instance: SimInstance, then: () => void, job?: EncodeJob): void {
    const { life } = instance
    this.clock.byBroker(() => {
      if (life === instance.life) then()
      else this.again(request, job)
    })
  }

  private lastToken(request: SimRequest): void {
    const { nowMs } = this.clock
    endDecode(request)
    this.walk(request, 'DECODED')
    this.ended(request, nowMs)
  }

  private ended(request: SimRequest, nowMs: number): void {
    this.outcomes.done(request, nowMs)
    this.options.observer?.ended(request, 'finished', nowMs)
    this.options.onDone?.(request, nowMs)
  }

  private imagesEncoded(job: EncodeJob, instance: SimInstance): void {
    if (!encoded(job, instance)) return
    this.walk(job.request, 'ENCODED')
    this.placePrefill(job.request)
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
      return this.ended(request, nowMs)
    }
    // An engine that prefills a decode again does not tell: the request is where it was.
    if (request.redo === 0) this.walk(request, request.here ? 'PREFILLED_HERE' : 'PREFILLED')
    if (request.here) return assignDecode(request, instance)
    this.placeDecode(request)
  }

  /** Places whatever a request needs next; who has lost its KV by now goes back. */
  private again(request: SimRequest, job?: EncodeJob): void {
    const { holder, node: { phase } } = request
    if (holder !== undefined && request.heldIn !== holder.life) forget(request, holder)
    if (phase === 'encode') {
      if (job !== undefined) return this.placeImages({ ...job, left: job.tiles })
      encodeAnew(request)
      for (const each of jobsOf(request, this.options.spreadImages === true)) this.placeImages(each)
    } else if (phase === 'prefill') this.placePrefill(request)
    else if (request.holder === undefined) this.lose(request, 'KV_LOST')
    else {
      this.placeDecode(request)
      // It may stay where it is, where nothing else might ever begin again.
      if (request.target === request.holder) this.settle(request.holder)
    }
  }

  private lose(request: SimRequest, event: 'KV_LOST' | 'EMBEDS_LOST'): void {
    this.walk(request, event)
    this.outcomes.refilled++
    request.redo = 0
    if (!request.node.done) return this.again(request)
    this.outcomes.failed++
    this.options.observer?.ended(request, 'failed', this.clock.nowMs)
  }

  private placeImages(job: EncodeJob): void {
    const decision = this.ask(job.request, { phase: 'encode', slots: 'other', tiles: job.tiles })
    if (decision.instance === undefined) return void this.held.push(() => this.placeImages(job))
    const instance = this.byId.get(decision.instance)!
    instance.enqueueImages(job)
    this.settle(instance)
  }

  private placePrefill(request: SimRequest): void {
    if (featuresLost(request)) return this.lose(request, 'EMBEDS_LOST')
    const decision = this.ask(request, { phase: 'prefill', slots: 'prefill' })
    if (decision.instance === undefined) return void this.held.push(() => this.again(request))
    const instance = this.byId.get(decision.instance)!
    request.prefiller = instance
    request.here = decision.decodeHere === true
    request.decodeAt = decision.decodeAt
    const bytes = request.encoded.length > 0 ? featureBytes(request, instance) : 0
    if (bytes > 0) return this.fetchFeatures(request, instance, bytes)
    instance.enqueue(request)
    this.settle(instance)
  }

  private fetchFeatures(request: SimRequest, instance: SimInstance, bytes: number): void {
    const { life } = instance
    this.clock.move(request.encoded[0]!.instance, instance, bytes, () => {
      if (life !== instance.life) return this.afterLease([request])
      if (featuresLost(request)) return this.lose(request, 'EMBEDS_LOST')
      request.movedBytes += bytes
      instance.enqueue(request)
      this.settle(instance)
    })
  }

  private placeDecode(request: SimRequest): void {
    const decision = this.ask(request, { phase: 'transfer', slots: 'decode' })
    if (decision.instance === undefined) return void this.held.push(() => this.again(request))
    const target = this.byId.get(decision.instance)!
    assignDecode(request, target)
    if (target !== request.holder) this.settle(target)
  }

  private ask(request: SimRequest, about: Pick<PlaceRequest, 'phase' | 'slots' | 'tiles'>): Decision {
    this.view.nowMs = this.clock.nowMs
    // A hop that is offered to the dead is refused at once, and placed again.
    this.view.instances = this.alive
    const decision = place(this.options.policy, this.view, {
      id: String(request.id),
      ...about,
      model: MODEL,
      promptTokens: request.input,
      maxTokens: 0,
      waitedMs: Number.isNaN(request.firstMs) ? this.clock.nowMs - request.arrivedMs : 0,
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
    this.clock.later('up', instance, restartMs, () => this.settle(instance))
  }

  private tick(): void {
    this.nextTickMs += this.options.tickMs
    for (const instance of this.instances) instance.tick()
    if (this.clock.brokerIsAway) return
    const { policy } = this.options
    if (policy.onTick) {
      this.view.nowMs = this.clock.nowMs
      this.view.instances = this.present
      const { labels, state } = policy.onTick(this.view, this.state)
      this.state = state
      for (const change of labels) this.flip(change)
    }
    const { held } = this
    this.held = []
    for (const ask of held) ask()
    this.breakDeadlock()
  }

  private breakDeadlock(): void {
    const chosen = victims(this.instances)
    const holders = new Set(chosen.map((request) => request.holder!))
    for (const request of chosen) {
      preempt(request)
      this.outcomes.preempted++
    }
    // Whoever has waited takes the room before the preempted come back for it.
    for (const holder of holders) this.settle(holder)
    for (const request of chosen) this.lose(request, 'KV_LOST')
  }

  private loseBroker(durationMs: number): void {
    this.clock.loseBroker(durationMs, () => {
      for (const instance of this.instances) this.settle(instance)
    })
  }

  private die(instance: SimInstance): void {
    if (instance.dead) return
    const { leased, robbed, jobs } = bury(instance, this.instances)
    this.clock.cut(instance)
    this.alive = this.instances.filter((i) => !i.dead)
    this.clock.at(this.clock.nowMs + PRESENCE_MS, -1, () => void (this.present = this.instances.filter((i) => !i.dead)))
    for (const request of robbed) this.clock.byBroker(() => this.again(request))
    this.afterLease(leased, jobs)
    // Who was sending to it or waited behind the robbed has room now.
    for (const other of this.alive) this.settle(other)
  }

  private rise(instance: SimInstance): void {
    if (!instance.dead) return
    instance.dead = false
    this.alive = this.present = this.instances.filter((i) => !i.dead)
  }

  /** Their hops are delivered again when the lease of a dead instance has run out. */
  private afterLease(requests: readonly SimRequest[], jobs: readonly EncodeJob[] = []): void {
    this.clock.at(this.clock.nowMs + LEASE_MS, -1, () =>
      this.clock.byBroker(() => {
        for (const job of jobs) this.again(job.request, job)
        for (const request of requests) this.again(request)
      }))
  }

  /** Starts on an instance whatever can start there now. */
  private settle(instance: SimInstance): void {
    if (instance.dead) return
    if (!this.clock.brokerIsAway) {
      for (const request of admitStaying(instance)) if (!request.here) this.walk(request, 'LOCAL')
    }
    const request = startTransfer(instance)
    if (request !== undefined) {
      this.options.observer?.transferring(request, instance, this.clock.nowMs)
      const pull = ++instance.pulls
      this.clock.move(request.holder!, instance, kvBytes(request), () => {
        this.clock.byBroker(() => this.transferred(request, instance, pull))
      })
    }
    if (instance.iterating || instance.down) return
    const iterationMs = startIteration(instance)
    this.outcomes.preempted += instance.evicted
    instance.evicted = 0
    if (iterationMs === undefined) return
    this.options.observer?.iterating(instance, this.clock.nowMs)
    this.clock.later('iterated', instance, iterationMs, () => this.iterated(instance))
  }

  /** The request's chart takes its step; an event it does not answer would be a fault of this host. */
  private walk(request: SimRequest, event: SimEvent): void {
    const next = request.node.next[event]
    if (next === undefined) throw new Error(`The chart does not answer ${event} in ${request.node.state}`)
    request.node = next
  }
}
