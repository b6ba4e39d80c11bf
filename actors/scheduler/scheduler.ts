/**
 * One scheduler: a dispatcher, the policy it decides by, which an operator may change while requests run, and what it
 * says of itself.
 * @module
 */
import type { Bus, Subscription } from '../../runtime/bus/bus.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Json } from '../../runtime/json.ts'
import { type FlipTimes, knownPolicies, type Policy, policyOf, type Slo } from '../../runtime/policy/mod.ts'
import { Dispatcher } from '../../runtime/pool/dispatcher.ts'
import type { FlipRules } from '../../runtime/pool/labels.ts'
import type { FlipEntry, LedgerEntry } from '../../runtime/pool/ledger.ts'
import { Presence } from '../../runtime/pool/presence.ts'
import type { SchedulerCard } from '../../runtime/pool/scheduler-card.ts'
import { shadowed, type ShadowTallies } from '../../runtime/pool/shadow.ts'
import { Cluster } from '../../runtime/pool/view.ts'
import { type PolicyWish, watchPolicyWish } from '../../runtime/pool/wish.ts'

/** A label lasts one interval of the monitor at least, or nobody could see what it did. */
const DWELL_MS = 1_000

export interface SchedulerOptions {
  bus: Bus
  clock: Clock
  name: string
  /** Names of policies that `policyOf` knows. */
  policy: string
  shadow?: string | undefined
  slo: Slo
  /** An operator's: they go before the policy's own. */
  times: FlipTimes
  onDecided?: (entry: LedgerEntry) => void
  onFlip?: (entry: FlipEntry) => void
  onPolicy?: (policy: string, wish: PolicyWish) => void
  onError?: (error: unknown) => void
}

export class Scheduler {
  readonly cluster: Cluster
  private readonly options: SchedulerOptions
  private readonly dispatcher: Dispatcher
  private policy: Policy
  private rules: FlipRules
  private problem = ''
  private placed = 0
  private flips = 0
  private tallies: ShadowTallies = {}
  private presence: Presence | undefined
  private wishes: Subscription | undefined
  private running: Promise<void> | undefined

  /** Error: `policy_invalid`. */
  constructor(options: SchedulerOptions) {
    const { bus, clock, name, slo, shadow } = options
    this.options = options
    this.policy = this.make(options.policy)
    this.rules = this.rulesOf(this.policy)
    this.cluster = new Cluster(slo)
    this.dispatcher = new Dispatcher({
      bus, clock, cluster: this.cluster, policy: this.policy, rules: this.rules, name,
      ...(shadow === undefined ? {} : { shadow: this.make(shadow) }),
      onDecided: (entry) => this.decided(entry),
      onFlip: (entry) => {
        if (entry.outcome === 'applied') this.flips++
        options.onFlip?.(entry)
      },
      ...(options.onError ? { onError: options.onError } : {}),
    })
  }

  /** Resolves when it is seen and decides. */
  async start(): Promise<void> {
    const { bus, clock, name, onError } = this.options
    await this.cluster.start(bus)
    this.wishes = await watchPolicyWish(bus, (wish) => this.wished(wish))
    this.presence = new Presence(bus, clock, 'volley_schedulers', name, () => this.card() as unknown as Json)
    await this.presence.renew()
    this.running = this.dispatcher.run().catch((error) => onError?.(error))
  }

  async stop(): Promise<void> {
    this.dispatcher.stop()
    this.wishes?.unsubscribe()
    await this.running
    await this.presence?.close().catch(() => undefined)
  }

  card(): SchedulerCard {
    const { clock, policy: ownPolicy, shadow } = this.options
    return {
      policy: this.policy.name, ownPolicy, problem: this.problem, known: knownPolicies(), ...this.rules,
      placed: this.placed, flips: this.flips,
      shadow: shadow === undefined ? null : { policy: shadow, against: this.policy.name, tallies: this.tallies },
      atMs: clock.now(),
    }
  }

  private wished(wish: PolicyWish): void {
    const wanted = wish.policy ?? this.options.policy
    try {
      const next = this.make(wanted)
      this.problem = ''
      if (wanted !== this.policy.name) {
        this.policy = next
        this.rules = this.rulesOf(next)
        this.dispatcher.use(next, this.rules)
        // What a shadow was worth beside another policy says nothing of this one.
        this.tallies = {}
        this.options.onPolicy?.(wanted, wish)
      }
    } catch (error) {
      this.problem = (error as Error).message
      this.options.onError?.(error)
    }
    // Should this be lost, the next renewal tells.
    void this.presence?.renew().catch(() => undefined)
  }

  private make(name: string): Policy {
    const { times: { dwellMs = DWELL_MS, cooldownMs } } = this.options
    return policyOf(name, 'corrected', { dwellMs, ...(cooldownMs === undefined ? {} : { cooldownMs }) })
  }

  private rulesOf({ flips = {} }: Policy): FlipRules {
    const { times } = this.options
    return { dwellMs: times.dwellMs ?? flips.dwellMs ?? DWELL_MS, cooldownMs: times.cooldownMs ?? flips.cooldownMs ?? 0 }
  }

  private decided(entry: LedgerEntry): void {
    if (entry.outcome === 'accepted') this.placed++
    this.tallies = shadowed(this.tallies, entry)
    this.options.onDecided?.(entry)
  }
}
