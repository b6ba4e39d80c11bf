/**
 * Carries a policy's flips out for one scheduler. Knows the rules that flips keep; nothing of why a policy wants one.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { type Clock, sleep } from '../clock.ts'
import type { LabelChange } from '../policy/policy.ts'
import { flip, type FlipRules, type FlipView } from './labels.ts'
import type { FlipEntry } from './ledger.ts'
import type { Cluster } from './view.ts'

/** How long to wait for news of a flip that was faster. */
const NEWS_MS = 50

export interface FlipperOptions {
  bus: Bus
  clock: Clock
  cluster: Cluster
  /** Of this scheduler. */
  name: string
  onFlip?: ((entry: FlipEntry) => void) | undefined
}

export class Flipper {
  private readonly options: FlipperOptions

  constructor(options: FlipperOptions) {
    this.options = options
  }

  /**
   * One after the other, decided on `seen`. A refused one is left out: instances are stateless, so the placement that
   * came with it holds all the same. Undefined = another scheduler's flip was faster: what was decided on is no more.
   */
  async carryOut(changes: readonly LabelChange[], seen: FlipView, policy: string, rules: FlipRules): Promise<FlipEntry[] | undefined> {
    const { bus, clock, cluster, name, onFlip } = this.options
    const entries: FlipEntry[] = []
    let view = seen
    for (const { instance, label, reason } of changes) {
      const ask = { instance, label, reason, by: `policy ${policy}` }
      const made = await flip(bus, clock, ask, view, rules, name)
      if (made.status === 'outrun') {
        await Promise.race([cluster.nextChange(), sleep(clock, NEWS_MS)])
        return undefined
      }
      const entry = { instance, label, reason, outcome: made.status === 'applied' ? 'applied' : made.why }
      entries.push(entry)
      onFlip?.(entry)
      if (made.status !== 'applied') continue
      const { value, revision } = made
      view = { members: view.members.map((m) => (m.id === instance ? { ...m, value } : m)), seen: revision }
    }
    return entries
  }
}
