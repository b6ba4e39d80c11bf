/**
 * Arrow, second version: two labels. Prefill time can be predicted, so a request that would miss its TTFT flips a
 * decode instance at once; TPOT can only be watched, so flips the other way wait for load and a cooldown (Arrow,
 * arXiv 2505.11916v2, Algorithms 1 to 3; load definitions in loads.ts).
 * @module
 */
import { candidates, carries, holder, least, lowest, pool } from './candidates.ts'
import { decodeLoad, type Loads, prefillLoad } from './loads.ts'
import type { ClusterView, Decision, InstanceView, Label, LabelChange, Policy } from './policy.ts'
import { prefillMs, residentLimit } from './profile.ts'

/** Options for {@linkcode arrowV2}. */
export interface ArrowV2Options {
  /** @default {'corrected'} */
  loads?: Loads
  /** Decode load from which a prefill instance is handed over. @default {1} */
  expand?: number
  /** Load below which a pool counts as idle. @default {0.5} */
  shrink?: number
  /** Least time between two flips from prefill to decode. @default {10000} */
  cooldownMs?: number
  /** Ticks in a row that must ask for a flip. @default {1} */
  sustainedTicks?: number
  /** Least time a label lasts. @default {0} */
  dwellMs?: number
  /** Decode gives an instance to prefill only while its load is low. Off = the ablation. @default {true} */
  guard?: boolean
  /** Off = labels stay as they are: the ablation. @default {true} */
  flips?: boolean
}

/** What it remembers. */
export interface ArrowV2State {
  readonly [key: string]: number
  /** Last flip from prefill to decode. */
  readonly flippedMs: number
  /** Ticks in a row that asked for one. */
  readonly asked: number
  /** Of the decode pool, at the last tick. */
  readonly decodeLoad: number
}

/** Builds the policy `arrow-v2`. */
export function arrowV2({
  loads = 'corrected',
  expand = 1,
  shrink = 0.5,
  cooldownMs = 10_000,
  sustainedTicks = 1,
  dwellMs = 0,
  guard = true,
  flips = true,
}: ArrowV2Options = {}): Policy<ArrowV2State> {
  /** Algorithm 3: half-flipped instances first, then the least resident work; one always stays. */
  const flip = (view: ClusterView, from: Label, reason: string): LabelChange | undefined => {
    const members = pool(view, from)
    if (!flips || members.length <= 1) return undefined
    const free = members.filter((i) => view.nowMs - i.labelSinceMs >= dwellMs)
    const chosen = lowest(
      free,
      (i) =>
        from === 'prefill' ? [i.decodes === 0 ? 1 : 0, i.prefillWaitMs] : [i.prefills === 0 ? 1 : 0, i.decodeTokens],
    )
    return chosen && { instance: chosen.id, label: from === 'prefill' ? 'decode' : 'prefill', reason }
  }

  return {
    name: 'arrow-v2',
    initial: { flippedMs: -1e15, asked: 0, decodeLoad: 0 },
    flips: { cooldownMs },

    onArrival(view, request, state) {
      const able = candidates(view, request)
      if (request.slots === 'other') return least(able, (i) => i.prefillWaitMs, 'least wait')
      const fitting = able.filter((i) => carries(i, 'prefill'))
      const ttftMs = (i: InstanceView) => i.prefillWaitMs + prefillMs(i.profile, request.promptTokens)
      const inTime = fitting.filter((i) => ttftMs(i) <= view.slo.ttftMs)
      if (inTime.length > 0) return least(inTime, (i) => [i.decodeTokens, ttftMs(i)], 'in time, fewest decodes')
      if (!guard || state.decodeLoad < shrink) {
        const change = flip(view, 'decode', 'a prompt would miss its TTFT')
        if (change && able.some((i) => i.id === change.instance)) return flipped(able, change, ttftMs)
      }
      return least(fitting, ttftMs, 'nobody in time, least predicted TTFT')
    },

    onFirstToken(view, request, state) {
      const able = candidates(view, request)
      const fitting = able.filter((i) => carries(i, 'decode'))
      const there = holder(fitting, request)
      if (there !== undefined) return { instance: there.id, scores: { [there.id]: 0 }, reason: 'its KV is there' }
      const over = (i: InstanceView) =>
        i.decodeTokens + request.promptTokens - residentLimit(i.profile, view.slo.tpotMs)
      const room = fitting.filter((i) => over(i) <= 0)
      if (room.length > 0) return least(room, (i) => [i.prefillTokens, over(i)], 'has room, fewest prefills')
      if (view.nowMs - state.flippedMs >= cooldownMs) {
        const change = flip(view, 'prefill', 'no room in decode')
        if (change && able.some((i) => i.id === change.instance)) {
          return { ...flipped(able, change, over), state: { ...state, flippedMs: view.nowMs } }
        }
      }
      return least(fitting, (i) => i.decodeTokens, 'no room, fewest tokens')
    },

    onTick(view, state) {
      const busy = decodeLoad(pool(view, 'decode'), view.slo, loads)
      const waiting = prefillLoad(pool(view, 'prefill'), view.slo, loads)
      const asked = busy >= expand || (waiting <= shrink && busy >= shrink) ? state.asked + 1 : 0
      const next = { ...state, decodeLoad: busy, asked }
      if (asked < sustainedTicks || view.nowMs - state.flippedMs < cooldownMs) return { labels: [], state: next }
      const change = flip(view, 'prefill', `decode load ${busy.toFixed(2)}, prefill load ${waiting.toFixed(2)}`)
      if (change === undefined) return { labels: [], state: next }
      return { labels: [change], state: { ...next, flippedMs: view.nowMs, asked: 0 } }
    },
  }
}

function flipped(able: readonly InstanceView[], change: LabelChange, score: (i: InstanceView) => number): Decision {
  const scores = Object.fromEntries(able.map((i) => [i.id, score(i)]))
  return { instance: change.instance, labels: [change], scores, reason: `flipped: ${change.reason}` }
}
