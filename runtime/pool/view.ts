/**
 * The cluster as one scheduler sees it: heartbeats, labels, and a ledger of its own placements that no heartbeat has
 * shown yet (a burst inside one heartbeat must not land on one instance).
 * @module
 */
import type { Bus, Entry, Subscription } from '../bus/bus.ts'
import type { SlotClass } from './actor.ts'
import { carries } from '../policy/candidates.ts'
import type { ClusterView, InstanceView, PlaceRequest, Slo } from '../policy/policy.ts'
import { encodeMs, prefillMs } from '../policy/profile.ts'
import { MAX_WAITING_TILES } from './encoder.ts'
import { type FlipNote, FLIPS_KEY, type FlipView, type LabelValue } from './labels.ts'
import type { InstanceStats } from './stats.ts'

interface Placement {
  slots: SlotClass
  tokens: number
  tiles: number
  /** The instance's count of accepted hand-overs with this one; undefined = not answered yet. */
  accepted: number | undefined
}

/** Seconds that the mean prefill wait goes over, as an exponential mean. */
const WAIT_MEAN_MS = 1_000

/** Tiles that a hop is taken to bring before anybody has looked at it. */
const TILES_OF_A_HOP = 8

export class Cluster {
  placements = 0
  /** Revision of the flips key: a flip is decided with it, and expects it. */
  private flips = 0
  private readonly slo: Slo
  private readonly waits = new Map<string, { meanMs: number; atMs: number }>()
  private readonly stats = new Map<string, InstanceStats>()
  private readonly labels = new Map<string, LabelValue | undefined>()
  private readonly ledger = new Map<string, Placement[]>()
  private readonly subscriptions: Subscription[] = []
  private wake: (() => void)[] = []

  constructor(slo: Slo = { ttftMs: Infinity, tpotMs: Infinity }) {
    this.slo = slo
  }

  /** Resolves when the present state is known. */
  async start(bus: Bus): Promise<void> {
    this.subscriptions.push(
      await bus.bucket('volley_instances').watch((id, entry) => {
        if (entry) this.heard(entry.json<InstanceStats>())
        else this.gone(id)
      }),
      await bus.bucket('volley_labels').watch((id, entry) => {
        if (id === FLIPS_KEY) this.flipped(entry)
        else if (!id.startsWith('_')) this.labels.set(id, entry?.json<LabelValue>())
        this.changed()
      }),
      bus.subscribe('volley.v1.inst.*.stats', (message) => this.heard(message.json<InstanceStats>())),
    )
  }

  stop(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe()
    this.changed()
  }

  /** Everybody who is alive, corrected by the ledger. */
  view(nowMs = 0): ClusterView {
    return { instances: [...this.stats.values()].map((s) => this.instanceView(s)), placements: this.placements, nowMs, slo: this.slo }
  }

  /** What decides the bits of an instance's KV; undefined = it is not known. */
  numericsOf(id: string): string | undefined {
    return this.stats.get(id)?.engine.numerics
  }

  /** What a flip is decided on, as it is now. */
  flipView(): FlipView {
    const members = [...this.stats.values()].map((s) => ({
      id: s.id, model: s.model, draining: s.state === 'draining', value: this.labels.get(s.id),
    }))
    return { members, seen: this.flips }
  }

  phases(): string[] {
    return [...new Set([...this.stats.values()].flatMap((s) => s.phases))]
  }

  /** Hops of this phase that could be placed now. */
  freeSlots(phase: string, slots: SlotClass): number {
    const able = this.view().instances.filter((i) => i.phases.includes(phase) && !i.draining)
    if (phase !== 'encode') return able.reduce((sum, i) => sum + Math.max(0, i.freeSlots[slots]), 0)
    // An encode hop is soon over, its tiles are not: what waits for an encoder waits in the queue.
    const meant = able.filter((i) => carries(i, 'encode'))
    const hops = (i: InstanceView): number => Math.ceil((MAX_WAITING_TILES - i.encodeTiles) / TILES_OF_A_HOP)
    return (meant.length > 0 ? meant : able).reduce((sum, i) => sum + Math.max(0, Math.min(i.freeSlots[slots], hops(i))), 0)
  }

  /** Notes a placement; tell it what the instance answered by `settle`. */
  place(instance: string, { slots, promptTokens: tokens }: PlaceRequest, tiles = 0): Placement {
    const placement: Placement = { slots, tokens, tiles, accepted: undefined }
    this.ledger.set(instance, [...(this.ledger.get(instance) ?? []), placement])
    this.placements++
    return placement
  }

  /** `accepted` = the instance's count with it; undefined = it did not take the hop. */
  settle(instance: string, placement: Placement, accepted: number | undefined): void {
    if (accepted !== undefined) placement.accepted = accepted
    else this.ledger.set(instance, (this.ledger.get(instance) ?? []).filter((p) => p !== placement))
    this.changed()
  }

  /** Resolves at the next change of anything above. */
  nextChange(): Promise<void> {
    return new Promise((resolve) => this.wake.push(resolve))
  }

  /** The note holds the label itself, which its own key may not show yet. */
  private flipped(entry: Entry | undefined): void {
    this.flips = entry?.revision ?? 0
    if (entry === undefined) return
    const { instance, value } = entry.json<FlipNote>()
    this.labels.set(instance, value)
  }

  private heard(stats: InstanceStats): void {
    const before = this.stats.get(stats.id)
    if (before && before.incarnation === stats.incarnation && before.atMs > stats.atMs) return
    this.stats.set(stats.id, stats)
    this.noteWait(stats)
    const open = (this.ledger.get(stats.id) ?? []).filter((p) => p.accepted === undefined || p.accepted > stats.accepted)
    this.ledger.set(stats.id, before?.incarnation === stats.incarnation ? open : [])
    this.changed()
  }

  /** An exponential mean of the predicted wait, over about a second. */
  private noteWait(stats: InstanceStats): void {
    const waitMs = waitOf(stats)
    const before = this.waits.get(stats.id)
    const share = before === undefined ? 1 : 1 - Math.exp(-Math.max(0, stats.atMs - before.atMs) / WAIT_MEAN_MS)
    this.waits.set(stats.id, { meanMs: (before?.meanMs ?? 0) * (1 - share) + waitMs * share, atMs: stats.atMs })
  }

  private gone(id: string): void {
    this.waits.delete(id)
    this.stats.delete(id)
    this.ledger.delete(id)
    this.changed()
  }

  private changed(): void {
    const waiting = this.wake
    this.wake = []
    for (const resolve of waiting) resolve()
  }

  private instanceView(s: InstanceStats): InstanceView {
    const own = this.ledger.get(s.id) ?? []
    const freeSlots = { ...s.freeSlots }
    for (const p of own) freeSlots[p.slots]--
    const tokensOf = (slots: SlotClass) => own.filter((p) => p.slots === slots).reduce((sum, p) => sum + p.tokens, 0)
    const countOf = (slots: SlotClass) => own.filter((p) => p.slots === slots).length
    const { blockTokens, blocksTotal } = s.engine
    const encodeTiles = (s.encode?.tiles ?? 0) + own.reduce((sum, p) => sum + p.tiles, 0)
    const label = this.labels.get(s.id)
    return {
      id: s.id,
      label: label?.label ?? undefined,
      labelSinceMs: label?.sinceMs ?? 0,
      model: s.model,
      phases: s.phases,
      host: s.host,
      freeSlots,
      prefillTokens: s.load.prefillTokensWaiting + tokensOf('prefill'),
      prefills: s.load.prefillsWaiting + countOf('prefill'),
      prefillWaitMs: own.reduce((ms, p) => ms + (p.slots === 'prefill' ? prefillMs(s.profile, p.tokens) : 0), waitOf(s)),
      prefillWaitMeanMs: this.waits.get(s.id)?.meanMs ?? 0,
      encodeTiles,
      encodes: (s.encode?.hops ?? 0) + own.filter((p) => p.tiles > 0).length,
      encodeWaitMs: encodeMs(s.profile, encodeTiles),
      decodeTokens: s.load.decodeTokens + tokensOf('decode'),
      decodes: s.load.decodesRunning + countOf('decode'),
      gaps: s.gaps,
      profile: s.profile,
      contextLength: s.engine.contextLength,
      kvTokensFree: s.load.blocksFree * blockTokens,
      kvTokensTotal: blocksTotal * blockTokens,
      draining: s.state === 'draining',
    }
  }
}

/** Predicted time of the prefills that wait there: it tells how many and their sum, so each is taken to be the mean. */
function waitOf({ load, profile }: InstanceStats): number {
  const { prefillsWaiting: count, prefillTokensWaiting: tokens } = load
  return count === 0 ? 0 : count * prefillMs(profile, tokens / count)
}
