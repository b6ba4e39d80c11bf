/**
 * xLLM's service policy: both ends are chosen at arrival. A late prompt may borrow an idle decode instance without a
 * flip; a full decode pool takes the prefill instance just chosen; decode instances that run dry drift back to
 * prefill. Knows no KV capacity: its estimate is of time alone (xllm-service, instance manager).
 * @module
 */
import { anyPhase, candidates, carries, least, lowest, pool, waitMs } from './candidates.ts'
import type { InstanceView, LabelChange, Policy } from './policy.ts'
import { iterationMs, prefillMs } from './profile.ts'

/** Time between tokens with so many tokens and sequences resident. */
const tpotMs = ({ profile }: InstanceView, tokens: number, sequences: number): number =>
  iterationMs(profile, 0, 0, tokens, sequences)

export const xllm: Policy = {
  name: 'xllm',
  initial: {},

  onArrival(view, request) {
    const able = candidates(view, request)
    if (request.slots === 'other') return anyPhase(view, request)
    const { slo } = view
    const ttftMs = (i: InstanceView) => waitMs(i) + prefillMs(i.profile, request.promptTokens)
    const prefillers = able.filter((i) => carries(i, 'prefill'))
    const decision = least(prefillers, ttftMs, 'least predicted TTFT')
    const first = prefillers.find((i) => i.id === decision.instance)
    const decoders = view.instances.filter((i) => carries(i, 'decode') && !i.draining)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
    const withIt = (i: InstanceView) => tpotMs(i, i.decodeTokens + request.promptTokens, i.decodes + 1)
    const fast = decoders.find((i) => withIt(i) <= slo.tpotMs)
    const idlest = lowest(decoders, withIt)
    const decodeAt = (fast ?? idlest)?.id
    if (first === undefined) return { ...decision, decodeAt }

    const share = (count: number) => (count - 1) / count
    const borrowable = fast !== undefined && idlest !== undefined && fast !== idlest && able.includes(idlest) &&
      tpotMs(idlest, idlest.decodeTokens, idlest.decodes) < slo.tpotMs * share(decoders.length)
    if (ttftMs(first) > slo.ttftMs && borrowable && ttftMs(idlest) < ttftMs(first)) {
      const scores = { ...decision.scores, [idlest.id]: ttftMs(idlest) }
      return { instance: idlest.id, decodeAt, scores, reason: 'borrowed from decode' }
    }
    const mean = prefillers.reduce((sum, i) => sum + ttftMs(i), 0) / prefillers.length
    const members = pool(view, 'prefill').length
    const spare = mean < slo.ttftMs * share(members) || decoders.length < members
    if (fast === undefined && spare && members > 1 && first.label === 'prefill') {
      const change: LabelChange = { instance: first.id, label: 'decode', reason: 'no decode instance within TPOT' }
      return { ...decision, decodeAt, labels: [change] }
    }
    return { ...decision, decodeAt }
  },

  onFirstToken(view, request) {
    const able = candidates(view, request)
    const planned = able.find((i) => i.id === request.decodeAt)
    if (planned !== undefined) return { instance: planned.id, scores: { [planned.id]: 0 }, reason: 'chosen at arrival' }
    const withIt = (i: InstanceView) => tpotMs(i, i.decodeTokens + request.promptTokens, i.decodes + 1)
    return least(able.filter((i) => carries(i, 'decode')), withIt, 'least predicted TPOT')
  },

  onTick(view, state) {
    const members = pool(view, 'decode')
    const dry = members.filter((i) => i.label === 'decode' && i.decodes === 0)
    const given = dry.slice(0, Math.max(0, members.length - 1))
    return { labels: given.map((i) => ({ instance: i.id, label: 'prefill', reason: 'no decodes left' })), state }
  },
}
