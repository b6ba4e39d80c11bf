/**
 * The scheduler's side of a hop: pull for a free slot, ask the policy, hand the hop and its lease to one instance
 * (protocol rules 9 to 11). It keeps nothing a request needs: any replica may do the next hop.
 * @module
 */
import type { Bus, Delivery } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import { ACK_WAIT_MS } from '../bus/topology.ts'
import { type Clock, sleep } from '../clock.ts'
import { isVolleyError } from '../errors.ts'
import type { LlmContext } from '../machine/generate.ts'
import type { ClusterView, Decision, LabelChange, PlaceRequest, Policy } from '../policy/policy.ts'
import { type HandOver, type HandOverReply, type Hop, TIMER } from '../wire/hop.ts'
import { Chooser } from './chooser.ts'
import { every } from './holds.ts'
import { Flipper } from './flipper.ts'
import type { FlipRules, FlipView } from './labels.ts'
import { type FlipEntry, type LedgerEntry, ledgerEntry } from './ledger.ts'
import { slotsOf } from './slots.ts'
import type { Cluster } from './view.ts'

const HAND_OVER_TIMEOUT_MS = 1_000
const PULL_EXPIRES_MS = 2_000
/** Deliveries of a transfer after which its decode may stay where the KV is, whatever the policy says. */
const PATIENT_DELIVERIES = 2
/** Most hops taken in one pull: each waits in this process for its own hand-over only. */
const MAX_PULL = 16
/** Stands for the request in decisions that none asked for. */
const NO_REQUEST = '_tick'
const NO_RULES: FlipRules = { dwellMs: 0, cooldownMs: 0 }

export interface DispatcherOptions {
  bus: Bus
  clock: Clock
  cluster: Cluster
  policy: Policy
  /** What its flips keep. @default {neither dwell nor cooldown} */
  rules?: FlipRules
  /** Names this scheduler in labels and in the ledger. */
  name: string
  /** Decides on the same views and moves nothing. */
  shadow?: Policy
  /** @default {1000} */
  tickMs?: number
  onDecided?: (entry: LedgerEntry) => void
  onFlip?: (entry: FlipEntry) => void
  onError?: (error: unknown) => void
}

/** A decision, with who begins a part of an encode besides, and as the ledger tells it. */
interface Choice {
  decision: Decision
  alongside: string[]
  entry: LedgerEntry
}

export class Dispatcher {
  private chooser: Chooser
  private rules: FlipRules
  private readonly flipper: Flipper
  private readonly shadow: Chooser | undefined
  private stopTicks: (() => void) | undefined
  private readonly options: DispatcherOptions
  private readonly abort = new AbortController()
  private readonly loops = new Map<string, Promise<void>>()

  constructor(options: DispatcherOptions) {
    this.options = options
    this.chooser = new Chooser(options.policy)
    this.rules = options.rules ?? NO_RULES
    this.flipper = new Flipper(options)
    this.shadow = options.shadow && new Chooser(options.shadow)
  }

  /** Decides by another policy from the next hop on: what is on its way stays as it was decided. */
  use(policy: Policy, rules: FlipRules): void {
    this.chooser = new Chooser(policy)
    this.rules = rules
  }

  /** Serves every phase that some instance has an actor for, from now until `stop`. */
  async run(): Promise<void> {
    const { clock, cluster, tickMs = 1_000 } = this.options
    this.stopTicks = every(clock, tickMs, () => void this.tick().catch((error) => this.options.onError?.(error)))
    while (!this.abort.signal.aborted) {
      const changed = cluster.nextChange()
      for (const phase of [TIMER, ...cluster.phases()]) {
        if (!this.loops.has(phase)) this.loops.set(phase, this.serve(phase))
      }
      await changed
    }
    await Promise.all(this.loops.values())
  }

  stop(): void {
    this.abort.abort()
    this.stopTicks?.()
    this.options.cluster.stop()
  }

  private async serve(phase: string): Promise<void> {
    const { bus, clock, cluster } = this.options
    const { signal } = this.abort
    let ensured = false
    while (!signal.aborted) {
      try {
        if (!ensured) await bus.ensurePhase(phase)
        ensured = true
        const changed = cluster.nextChange()
        const free = phase === TIMER ? Math.min(1, cluster.view().instances.length) : cluster.freeSlots(phase, slotsOf(phase))
        if (free <= 0) {
          await changed
          continue
        }
        const pulled = await bus.pull(phase, { max: Math.min(free, MAX_PULL), expiresMs: PULL_EXPIRES_MS, signal })
        const at = clock.monotonic()
        // One after the other up to the choice, so that each placement sees the one before in the ledger.
        for (const delivery of pulled) void this.deliver(delivery, at).catch((error) => this.options.onError?.(error))
      } catch (error) {
        if (signal.aborted) return
        if (!isVolleyError(error, 'bus_timeout')) this.options.onError?.(error)
        await sleep(clock, 100)
      }
    }
  }

  /** Hands one hop over, choosing again after a refusal while half its lease is left; then forgets it. */
  private async deliver(delivery: Delivery, pulledAt: number): Promise<void> {
    const { clock, cluster } = this.options
    const hop = delivery.json<Hop>()
    const refused = new Set<string>()
    while (clock.monotonic() - pulledAt < ACK_WAIT_MS / 2) {
      const seen = cluster.flipView()
      const { decision, entry, alongside } = this.decide(hop, refused, delivery.delivery)
      const flips = await this.flipAll(decision.labels ?? [], seen)
      if (flips === undefined) continue
      if (decision.instance === undefined) {
        refused.clear()
        await Promise.race([cluster.nextChange(), sleep(clock, 50)])
        continue
      }
      const outcome = await this.handTo(decision.instance, hop, delivery, { decision, entry, alongside })
      if (hop.phase !== TIMER) this.note({ ...entry, flips, outcome, atMs: clock.now() })
      if (!outcome.startsWith('refused')) return
      refused.add(decision.instance)
    }
  }

  private decide(hop: Hop, refused: Set<string>, delivery: number): Choice {
    const { clock, cluster } = this.options
    const view = cluster.view(clock.now())
    const { kv } = hop.stored.context as Partial<LlmContext>
    // KV that another engine's arithmetic made would be refused there.
    const canTake = (id: string) => hop.phase !== 'transfer' || !kv || cluster.numericsOf(id) === kv.numerics
    const instances = view.instances.filter((i) => !refused.has(i.id) && canTake(i.id))
    const request = placeRequest(hop, clock.now())
    const policy = this.chooser.policy.name
    const withHelp = (decision: Decision) =>
      ({ decision, alongside: this.chooser.alongside({ ...view, instances }, request, decision.instance) })
    const entryOf = (decided: Decision, other?: { policy: string; decision: Decision }): Choice => {
      const made = withHelp(decided)
      // A shadow's encode would be shared as well, or it could only be slower.
      const shadow = other && { ...other, ...withHelp(other.decision) }
      return { ...made, entry: ledgerEntry(view, request, { policy, ...made, shadow }) }
    }
    if (hop.phase === TIMER) return entryOf({ instance: instances[0]?.id, scores: {}, reason: 'any' })
    if (hop.phase === 'decode') {
      // Decode goes where the KV is. Where that is gone, whoever gets it finds the loss and says so.
      const owner = view.instances.find((i) => i.id === request.kvOwner)
      if (owner) return entryOf({ instance: refused.has(owner.id) ? undefined : owner.id, scores: { [owner.id]: 0 }, reason: 'its KV is there' })
    }
    const seen = { ...view, instances }
    const decision = this.chooser.place(seen, request)
    const other = this.shadow?.place(seen, request)
    const shadow = other && { policy: this.shadow!.policy.name, decision: other }
    return entryOf(this.orStays(decision, request, seen, delivery), shadow)
  }

  /**
   * Nobody has had room for a request's KV for a while: then it is decoded where it is, whatever the policy says. That
   * needs room for the answer alone.
   */
  private orStays(decision: Decision, request: PlaceRequest, { instances }: ClusterView, delivery: number): Decision {
    if (decision.instance !== undefined || request.phase !== 'transfer' || delivery <= PATIENT_DELIVERIES) return decision
    const there = instances.find((i) => i.id === request.kvOwner && i.freeSlots.decode > 0)
    return there ? { instance: there.id, scores: { [there.id]: 0 }, reason: 'nobody else has room, so it stays' } : decision
  }

  /** The monitor loop: flips that no request asks for. */
  private async tick(): Promise<void> {
    const { clock, cluster } = this.options
    const view = cluster.view(clock.now())
    const seen = cluster.flipView()
    this.shadow?.tick(view)
    const policy = this.chooser.policy.name
    for (const flip of (await this.flipAll(this.chooser.tick(view), seen)) ?? []) {
      const { instance, label, reason, outcome } = flip
      this.note({
        outcome, request: NO_REQUEST, phase: label, policy, instance, reason, scores: {}, predictedMs: undefined, flips: [flip],
        atMs: clock.now(),
      })
    }
  }

  private flipAll(changes: readonly LabelChange[], seen: FlipView): Promise<FlipEntry[] | undefined> {
    return this.flipper.carryOut(changes, seen, this.chooser.policy.name, this.rules)
  }

  private note(entry: LedgerEntry): void {
    this.options.bus.publish(subjects.decision(entry.request, entry.phase), JSON.stringify(entry))
    this.options.onDecided?.(entry)
  }

  private async handTo(instance: string, hop: Hop, delivery: Delivery, { decision, entry, alongside }: Choice): Promise<string> {
    const { bus, clock, cluster } = this.options
    const { ackSubject, seq, delivery: count } = delivery
    const { decodeHere = false, decodeAt = null } = decision
    const request = placeRequest(hop, clock.now())
    const part = hop.phase === 'encode' ? Math.ceil((request.tiles ?? 0) / (1 + alongside.length)) : 0
    const placement = cluster.place(instance, request, part)
    const body: HandOver = { hop, ackSubject, seq, delivery: count, decodeHere, decodeAt, alongside, predictedMs: entry.predictedMs ?? null }
    let outcome = 'timeout'
    let accepted: number | undefined
    try {
      const message = await bus.request(subjects.handOver(instance), JSON.stringify(body), { timeoutMs: HAND_OVER_TIMEOUT_MS })
      const reply = message.json<HandOverReply & { accepted?: number }>()
      outcome = reply.status === 'refused' ? `refused: ${reply.reason}` : reply.status
      accepted = reply.accepted
    } catch (error) {
      if (isVolleyError(error, 'no_responders')) outcome = 'refused: gone'
      else if (!isVolleyError(error, 'bus_timeout')) throw error
    } finally {
      cluster.settle(instance, placement, accepted)
    }
    return outcome
  }
}

/** What a policy sees of a hop. */
function placeRequest(hop: Hop, nowMs: number): PlaceRequest {
  const { promptTokens = 0, n = 1, sampling, images = [], kv, decodeAt } = hop.stored.context as Partial<LlmContext>
  return {
    id: hop.id,
    phase: hop.phase,
    slots: slotsOf(hop.phase),
    model: hop.model,
    promptTokens,
    tiles: images.reduce((sum, { starts }) => sum + starts.length, 0),
    waitedMs: nowMs - hop.created,
    maxTokens: Number(sampling?.['maxTokens'] ?? 0) * n,
    kvOwner: kv?.instance,
    decodeAt: decodeAt ?? undefined,
  }
}
