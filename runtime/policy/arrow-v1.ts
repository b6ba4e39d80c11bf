/**
 * Arrow, first version: four pools, tried one after the other. The two middle pools are not stored: an instance
 * labelled decode that still prefills is P→D, one labelled prefill that still decodes is D→P, and it settles by
 * itself when that work is done (Arrow, arXiv 2505.11916v1; xLLM, arXiv 2510.14686, section 3.2).
 * @module
 */
import { anyPhase, atHome, candidates, carries, holder, least, pool, waitMs } from './candidates.ts'
import { flipped, give } from './flip.ts'
import { decodeLoad, IDLE, type Loads } from './loads.ts'
import type { ClusterView, InstanceView, LabelChange, Phase, Policy, PolicyState } from './policy.ts'
import { encodeMs, prefillMs, residentLimit } from './profile.ts'

/** Options for {@linkcode arrowV1}. */
export interface ArrowV1Options {
  /** @default {'corrected'} */
  loads?: Loads
  /**
   * Decode load above which idle prefill instances are handed over.
   *
   * @default {0.5 of plain loads, 0.6 of corrected ones}
   */
  shrink?: number
  /** Decode instances that always stay. @default {1} */
  minDecode?: number
  /** Decode gives an instance away only if the others have room for its tokens. @default {true} */
  guard?: boolean
  /** Least time a label lasts. @default {0} */
  dwellMs?: number
  /** Off = labels stay as they are: the ablation. @default {true} */
  flips?: boolean
}

/** Builds the policy `arrow-v1`. */
export function arrowV1({
  loads = 'corrected',
  shrink = IDLE[loads],
  minDecode = 1,
  guard = true,
  dwellMs = 0,
  flips = true,
}: ArrowV1Options = {}): Policy {
  const takeFromDecode = (view: ClusterView, to: Phase): LabelChange | undefined => {
    const members = pool(view, 'decode')
    if (!flips || members.length <= minDecode) return undefined
    const tokens = members.reduce((sum, i) => sum + i.decodeTokens, 0)
    const limit = Math.min(...members.map((i) => residentLimit(i.profile, view.slo.tpotMs)))
    if (guard && tokens / (members.length - 1) >= limit) return undefined
    const reason = `${to === 'prefill' ? 'a prompt' : 'an image'} would miss its TTFT`
    return give(view, { from: 'decode', to, reason, dwellMs })
  }
  /** Of prefill, else of encode. */
  const takeForDecode = (view: ClusterView, reason: string): LabelChange | undefined => {
    if (!flips) return undefined
    return give(view, { from: 'prefill', to: 'decode', reason, dwellMs }) ??
      give(view, { from: 'encode', to: 'decode', reason, dwellMs })
  }

  return {
    name: 'arrow-v1',
    initial: {},

    onArrival(view, request) {
      const able = candidates(view, request)
      const { tiles = 0, waitedMs = 0, promptTokens } = request
      if (request.phase === 'encode') {
        const decision = anyPhase(view, request)
        const ttftMs = (i: InstanceView) =>
          waitedMs + waitMs(i) + encodeMs(i.profile, tiles) + prefillMs(i.profile, promptTokens)
        const chosen = able.find((i) => i.id === decision.instance)
        if (chosen === undefined || ttftMs(chosen) <= view.slo.ttftMs) return decision
        const change = takeFromDecode(view, 'encode')
        return change && able.some((i) => i.id === change.instance) ? flipped(able, change, ttftMs) : decision
      }
      if (request.slots === 'other') return anyPhase(view, request)
      const fitting = able.filter((i) => carries(i, 'prefill'))
      const ttftMs = (i: InstanceView) => waitedMs + waitMs(i) + prefillMs(i.profile, promptTokens)
      for (const [name, settled] of [['P', true], ['D→P', false]] as const) {
        const decision = least(fitting.filter((i) => (i.decodes === 0) === settled), ttftMs, `in time, of ${name}`)
        if (decision.instance !== undefined && (decision.scores[decision.instance] as number) <= view.slo.ttftMs) {
          return decision
        }
      }
      const change = takeFromDecode(view, 'prefill')
      if (change && able.some((i) => i.id === change.instance)) return flipped(able, change, ttftMs)
      return least(fitting, ttftMs, 'nobody in time, least predicted TTFT')
    },

    onFirstToken(view, request) {
      const able = candidates(view, request)
      const fitting = able.filter((i) => carries(i, 'decode'))
      const there = holder(fitting, request)
      if (there !== undefined && atHome(view, there)) {
        return { instance: there.id, scores: { [there.id]: 0 }, reason: 'its KV is there' }
      }
      const tokens = (i: InstanceView) => i.decodeTokens
      const room = fitting.filter((i) => tokens(i) + request.promptTokens <= residentLimit(i.profile, view.slo.tpotMs))
      for (const [name, settled] of [['D', true], ['P→D', false]] as const) {
        const decision = least(room.filter((i) => (i.prefills === 0) === settled), tokens, `has room, of ${name}`)
        if (decision.instance !== undefined) return decision
      }
      const change = takeForDecode(view, 'no room in decode')
      if (change && able.some((i) => i.id === change.instance)) return flipped(able, change, tokens)
      return least(fitting, tokens, 'no room, fewest tokens')
    },

    onTick(view, state: PolicyState) {
      const busy = decodeLoad(pool(view, 'decode'), view.slo, loads)
      const idle = pool(view, 'prefill').some((i) => i.prefills === 0 && i.decodes === 0) ||
        pool(view, 'encode').some((i) => i.encodes === 0 && i.decodes === 0)
      if (!(busy > 1 || (idle && busy > shrink))) return { labels: [], state }
      const change = takeForDecode(view, `decode load ${busy.toFixed(2)}${idle ? ', an idle prefill or encode' : ''}`)
      return { labels: change ? [change] : [], state }
    },
  }
}
