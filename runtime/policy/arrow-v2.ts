/**
 * Arrow, second version: labels and cost pairs. Prefill time can be predicted, so a request that would miss its TTFT
 * flips an instance of an idle pool at once; TPOT can only be watched, so flips to decode wait for load and a cooldown
 * (Arrow, arXiv 2505.11916v2, Algorithms 1 to 3; load definitions in loads.ts). Encode, which it does not know, is one
 * more phase before the first token: its wait counts in the TTFT as that of prefill does.
 * @module
 */
import { anyPhase, atHome, candidates, carries, holder, least, lowest, pool, waitMs } from './candidates.ts'
import { flipped, give } from './flip.ts'
import { decodeLoad, IDLE, type Loads, waitLoad } from './loads.ts'
import type { ClusterView, Decision, InstanceView, LabelChange, Phase, PlaceRequest, Policy } from './policy.ts'
import { encodeMs, prefillMs, residentLimit } from './profile.ts'

/** Options for {@linkcode arrowV2}. */
export interface ArrowV2Options {
  /** @default {'corrected'} */
  loads?: Loads
  /** Decode load from which an instance is handed over to decode. @default {1} */
  expand?: number
  /** Load below which a pool counts as idle. @default {0.5 of plain loads, 0.6 of corrected ones} */
  shrink?: number
  /** Least time between two flips to decode. @default {10000} */
  cooldownMs?: number
  /** Ticks in a row that must ask for a flip. @default {1} */
  sustainedTicks?: number
  /** Least time a label lasts. @default {0} */
  dwellMs?: number
  /** Decode gives an instance away only while its load is low. Off = the ablation. @default {true} */
  guard?: boolean
  /** Off = labels stay as they are: the ablation. @default {true} */
  flips?: boolean
}

/** What it remembers. */
export interface ArrowV2State {
  readonly [key: string]: number
  /** Last flip to decode. */
  readonly flippedMs: number
  /** Ticks in a row that asked for one. */
  readonly asked: number
  /** Of the decode pool, at the last tick. */
  readonly decodeLoad: number
}

/** A hop of a phase before the first token. */
interface Arriving {
  to: 'prefill' | 'encode'
  able: InstanceView[]
  /** Predicted, of the request. */
  ttftMs: (i: InstanceView) => number
  /** Whether an instance more for this phase would help. @default {true} */
  helps?: boolean
}

/** Builds the policy `arrow-v2`. */
export function arrowV2({
  loads = 'corrected',
  expand = 1,
  shrink = IDLE[loads],
  cooldownMs = 10_000,
  sustainedTicks = 1,
  dwellMs = 0,
  guard = true,
  flips = true,
}: ArrowV2Options = {}): Policy<ArrowV2State> {
  /** An instance for a phase before the first token, from decode if that is idle, else from the other such phase. */
  const takeFor = (view: ClusterView, to: 'prefill' | 'encode', state: ArrowV2State): LabelChange | undefined => {
    if (!flips) return undefined
    const other = to === 'prefill' ? 'encode' : 'prefill'
    const reason = `${to === 'prefill' ? 'a prompt' : 'an image'} would miss its TTFT`
    // Who decodes and does something else, too, must be idle in that as well.
    const others = pool(view, 'decode').filter((i) => i.label !== 'decode')
    const free = !guard || (state.decodeLoad < shrink && waitLoad(others, view.slo, 'plain') < shrink)
    const ofDecode = free ? give(view, { from: 'decode', to, reason, dwellMs }) : undefined
    if (ofDecode !== undefined || waitLoad(pool(view, other), view.slo, 'plain') >= shrink) return ofDecode
    // Both are asked by the same requests: without a rest between, one instance would go to and fro.
    return give(view, { from: other, to, reason, dwellMs: Math.max(dwellMs, cooldownMs) })
  }

  /** An instance for decode, of the pool with the shorter wait. */
  const takeForDecode = (view: ClusterView, reason: string): LabelChange | undefined => {
    if (!flips) return undefined
    const loadOf = (from: Phase) => ({ from, load: waitLoad(pool(view, from), view.slo, loads) })
    const donors = [loadOf('prefill'), loadOf('encode')]
    donors.sort((a, b) => a.load - b.load)
    for (const { from } of donors) {
      const change = give(view, { from, to: 'decode', reason, dwellMs })
      if (change !== undefined) return change
    }
    return undefined
  }

  /** The rule of both phases before the first token: in time, else by a flip, else the least late. */
  function soonest(
    view: ClusterView,
    { to, able, ttftMs, helps = true }: Arriving,
    state: ArrowV2State,
  ): Decision {
    const fitting = able.filter((i) => carries(i, to))
    // Where decodes have instances of their own, those that still decode from before a flip are spared.
    const apart = view.slo.ttftMs < Infinity && fitting.every((i) => !carries(i, 'decode'))
    const inTime = fitting.filter((i) => ttftMs(i) <= view.slo.ttftMs)
    if (inTime.length > 0) {
      return apart
        ? least(inTime, (i) => [i.decodeTokens, ttftMs(i)], 'in time, fewest decodes')
        : least(inTime, (i) => [ttftMs(i), i.decodeTokens], 'in time, least wait')
    }
    const change = helps ? takeFor(view, to, state) : undefined
    if (change && able.some((i) => i.id === change.instance)) return flipped(able, change, ttftMs)
    return least(fitting, ttftMs, 'nobody in time, least predicted TTFT')
  }

  return {
    name: 'arrow-v2',
    initial: { flippedMs: -1e15, asked: 0, decodeLoad: 0 },
    flips: { cooldownMs },

    onArrival(view, request, state) {
      const able = candidates(view, request)
      const { promptTokens, tiles = 0, waitedMs = 0 } = request
      if (request.phase === 'encode') {
        if (view.instances.every((i) => !carries(i, 'encode'))) return anyPhase(view, request)
        const laterMs = prefillAfter(view, request)
        const ownMs = (i: InstanceView) => waitMs(i) + encodeMs(i.profile, tiles)
        // Not where prefill is what it would wait for.
        const helps = able.every((i) => !carries(i, 'encode') || ownMs(i) >= laterMs)
        return soonest(view, { to: 'encode', able, ttftMs: (i) => waitedMs + ownMs(i) + laterMs, helps }, state)
      }
      if (request.slots === 'other') return anyPhase(view, request)
      const ttftMs = (i: InstanceView) => waitedMs + waitMs(i) + prefillMs(i.profile, promptTokens)
      const decision = soonest(view, { to: 'prefill', able, ttftMs }, state)
      const chosen = able.find((i) => i.id === decision.instance)
      return chosen !== undefined && decision.labels === undefined && atHome(view, chosen)
        ? { ...decision, decodeHere: true }
        : decision
    },

    onFirstToken(view, request, state) {
      const able = candidates(view, request)
      const fitting = able.filter((i) => carries(i, 'decode'))
      const there = holder(fitting, request)
      if (there !== undefined && atHome(view, there)) {
        return { instance: there.id, scores: { [there.id]: 0 }, reason: 'its KV is there' }
      }
      const over = (i: InstanceView) =>
        i.decodeTokens + request.promptTokens - residentLimit(i.profile, view.slo.tpotMs)
      const room = fitting.filter((i) => over(i) <= 0)
      if (room.length > 0) return least(room, (i) => [i.prefillTokens, over(i)], 'has room, fewest prefills')
      if (view.nowMs - state.flippedMs >= cooldownMs) {
        const change = takeForDecode(view, 'no room in decode')
        if (change && able.some((i) => i.id === change.instance)) {
          return { ...flipped(able, change, over), state: { ...state, flippedMs: view.nowMs } }
        }
      }
      return least(fitting, (i) => i.decodeTokens, 'no room, fewest tokens')
    },

    onTick(view, state) {
      const busy = decodeLoad(pool(view, 'decode'), view.slo, loads)
      const waiting = Math.min(...front(view).map((phase) => waitLoad(pool(view, phase), view.slo, loads)))
      const asked = busy >= expand || (waiting <= shrink && busy >= shrink) ? state.asked + 1 : 0
      const next = { ...state, decodeLoad: busy, asked }
      if (asked < sustainedTicks || view.nowMs - state.flippedMs < cooldownMs) return { labels: [], state: next }
      const change = takeForDecode(view, `decode load ${busy.toFixed(2)}, prefill load ${waiting.toFixed(2)}`)
      if (change === undefined) return { labels: [], state: next }
      return { labels: [change], state: { ...next, flippedMs: view.nowMs, asked: 0 } }
    },
  }
}

/** The phases before the first token that have instances of their own; prefill always counts. */
const front = (view: ClusterView): Phase[] => pool(view, 'encode').length > 0 ? ['prefill', 'encode'] : ['prefill']

/** Predicted time from the end of an encode to the first token, where it is least. */
function prefillAfter(view: ClusterView, { promptTokens }: PlaceRequest): number {
  const ttftMs = (i: InstanceView) => waitMs(i) + prefillMs(i.profile, promptTokens)
  const first = lowest(view.instances.filter((i) => carries(i, 'prefill') && !i.draining), ttftMs)
  return first === undefined ? 0 : ttftMs(first)
}
