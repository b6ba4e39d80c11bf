/**
 * The cluster as one scheduler sees it: heartbeats, labels, and a ledger of its own placements that no heartbeat has
 * shown yet (a burst inside one heartbeat must not land on one instance).
 * @module
 */
import type { Bus, Subscription } from '../bus/bus.ts'
import type { SlotClass } from './actor.ts'
import type { ClusterView, InstanceView, Slo } from '../policy/policy.ts'
import { unmeasured } from '../policy/profile.ts'
import type { LabelValue } from './labels.ts'
import type { InstanceStats } from './stats.ts'

interface Placement {
  slots: SlotClass
  tokens: number
  /** The instance's count of accepted hand-overs with this one; undefined = not answered yet. */
  accepted: number | undefined
}

const NO_SLO: Slo = { ttftMs: Infinity, tpotMs: Infinity }
const NO_GAPS = { count: 0, sumMs: 0, firstCount: 0, firstSumMs: 0, openMs: 0 }

export class Cluster {
  placements = 0
  private readonly stats = new Map<string, InstanceStats>()
  private readonly labels = new Map<string, LabelValue | undefined>()
  private readonly ledger = new Map<string, Placement[]>()
  private readonly subscriptions: Subscription[] = []
  private wake: (() => void)[] = []

  /** Resolves when the present state is known. */
  async start(bus: Bus): Promise<void> {
    this.subscriptions.push(
      await bus.bucket('volley_instances').watch((id, entry) => {
        if (entry) this.heard(entry.json<InstanceStats>())
        else this.gone(id)
      }),
      await bus.bucket('volley_labels').watch((id, entry) => {
        this.labels.set(id, entry?.json<LabelValue>())
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
    return { instances: [...this.stats.values()].map((s) => this.instanceView(s)), placements: this.placements, nowMs, slo: NO_SLO }
  }

  phases(): string[] {
    return [...new Set([...this.stats.values()].flatMap((s) => s.phases))]
  }

  /** Hops of this phase that could be placed now. */
  freeSlots(phase: string, slots: SlotClass): number {
    return this.view().instances
      .filter((i) => i.phases.includes(phase) && !i.draining)
      .reduce((sum, i) => sum + Math.max(0, i.freeSlots[slots]), 0)
  }

  /** Notes a placement; tell it what the instance answered by `settle`. */
  place(instance: string, slots: SlotClass, tokens: number): Placement {
    const placement: Placement = { slots, tokens, accepted: undefined }
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

  private heard(stats: InstanceStats): void {
    const before = this.stats.get(stats.id)
    if (before && before.incarnation === stats.incarnation && before.atMs > stats.atMs) return
    this.stats.set(stats.id, stats)
    const open = (this.ledger.get(stats.id) ?? []).filter((p) => p.accepted === undefined || p.accepted > stats.accepted)
    this.ledger.set(stats.id, before?.incarnation === stats.incarnation ? open : [])
    this.changed()
  }

  private gone(id: string): void {
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
    const profile = unmeasured(blocksTotal * blockTokens)
    const prefillTokens = s.load.prefillTokensWaiting + tokensOf('prefill')
    const label = this.labels.get(s.id)
    return {
      id: s.id,
      label: label?.label ?? undefined,
      labelSinceMs: label?.sinceMs ?? 0,
      model: s.model,
      phases: s.phases,
      host: s.host,
      freeSlots,
      prefillTokens,
      prefills: s.load.prefillsWaiting + countOf('prefill'),
      prefillWaitMs: prefillTokens * profile.perTokenMs,
      prefillWaitMeanMs: prefillTokens * profile.perTokenMs,
      decodeTokens: s.load.decodeTokens + tokensOf('decode'),
      decodes: s.load.decodesRunning + countOf('decode'),
      gaps: NO_GAPS,
      profile,
      contextLength: s.engine.contextLength,
      kvTokensFree: s.load.blocksFree * blockTokens,
      kvTokensTotal: blocksTotal * blockTokens,
      draining: s.state === 'draining',
    }
  }
}
