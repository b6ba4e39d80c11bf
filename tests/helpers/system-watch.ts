/**
 * Looking into a running system over its bus: transitions as they happen, what instances hold, what lies in the queue.
 * @module
 */
import { HOPS } from '../../runtime/bus/topology.ts'
import type { Bus } from '../../runtime/bus/bus.ts'
import { natsBus } from '../../runtime/bus/nats.ts'
import { type Client, connect, type RequestDetails, type Transition } from '../../runtime/client/mod.ts'
import type { InstanceStats } from '../../runtime/pool/stats.ts'

const ASK_MS = 5_000
const EVENT_MS = 30_000

/** What is left in a system that has nothing to do: all zero, nothing listed. */
export interface Leftovers {
  /** Of all instances together. */
  holds: number
  blocksReserved: number
  jobs: number
  /** Subjects of the hop stream with something stored: hops and timers. */
  queued: string[]
  /** Deliveries that nobody has acknowledged, over all consumers. */
  ackPending: number
}

interface ConsumerInfo {
  num_ack_pending: number
}

export class SystemWatch {
  readonly client: Client
  readonly bus: Bus
  private readonly latest = new Map<string, InstanceStats>()

  private constructor(client: Client, bus: Bus) {
    this.client = client
    this.bus = bus
    bus.subscribe('volley.v1.inst.*.stats', (m) => this.heard(m.json<InstanceStats>()))
  }

  static async connect(nats: string): Promise<SystemWatch> {
    const signal = AbortSignal.timeout(ASK_MS)
    const watch = new SystemWatch(
      await connect({ nats, signal }),
      await natsBus({ servers: nats, name: 'watch', signal }),
    )
    await watch.bus.bucket('volley_instances').watch((id, entry) => {
      if (entry) watch.heard(entry.json<InstanceStats>())
      else watch.latest.delete(id)
    })
    return watch
  }

  /** Instances as they described themselves last. */
  instances(): InstanceStats[] {
    return [...this.latest.values()]
  }

  /** The first transition from now on that `wanted` accepts. Rejects when there is none in time. */
  next(wanted: (transition: Transition) => boolean, withinMs = EVENT_MS): Promise<Transition> {
    return new Promise((resolve, reject) => {
      const end = () => (clearTimeout(timer), stop())
      const stop = this.client.follow((transition) => {
        if (!wanted(transition)) return
        end()
        resolve(transition)
      })
      const timer = setTimeout(() => (end(), reject(new Error(`no such transition within ${withinMs} ms`))), withinMs)
    })
  }

  /** The next claim of a phase, by any request or one: who took it and as which attempt. */
  nextClaim(phase: string, id?: string, withinMs?: number): Promise<Transition> {
    return this.next(
      (t) => t.state === 'claimed' && phaseOf(t) === phase && (id === undefined || t.id === id),
      withinMs,
    )
  }

  async request(id: string): Promise<RequestDetails> {
    const found = await this.client.request(id)
    if (!found) throw new Error(`request ${id} is not known`)
    return found
  }

  /** What is left over now. */
  async leftovers(): Promise<Leftovers> {
    const all = this.instances()
    const sum = (of: (stats: InstanceStats) => number) => all.reduce((total, stats) => total + of(stats), 0)
    const stream = await this.jetStream<{ state: { subjects?: Record<string, number> } }>(`STREAM.INFO.${HOPS}`, {
      subjects_filter: '>',
    })
    const consumers = await this.jetStream<{ consumers: ConsumerInfo[] | null }>(`CONSUMER.LIST.${HOPS}`, {})
    return {
      holds: sum(({ holds, load }) => Math.max(holds, load.holds)),
      blocksReserved: sum(({ load }) => load.blocksReserved),
      jobs: sum(({ jobs }) => jobs),
      queued: Object.keys(stream.state.subjects ?? {}),
      ackPending: (consumers.consumers ?? []).reduce((total, { num_ack_pending: pending }) => total + pending, 0),
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.client.close(), this.bus.close()])
  }

  private async jetStream<T>(call: string, body: object): Promise<T> {
    return (await this.bus.request(`$JS.API.${call}`, JSON.stringify(body), { timeoutMs: ASK_MS })).json<T>()
  }

  private heard(stats: InstanceStats): void {
    const before = this.latest.get(stats.id)
    if (before && before.incarnation === stats.incarnation && before.atMs > stats.atMs) return
    this.latest.set(stats.id, stats)
  }
}

/** Phase of a `claimed` transition. */
export const phaseOf = ({ detail }: Pick<Transition, 'detail'>): string | undefined =>
  (detail as { phase?: string } | null)?.phase

/** What a system that has nothing to do shows. */
export const NOTHING_LEFT: Leftovers = { holds: 0, blocksReserved: 0, jobs: 0, queued: [], ackPending: 0 }
