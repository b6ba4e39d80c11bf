/**
 * A policy with its memory: policies are pure and see one model at a time; what they want remembered is kept here.
 * @module
 */
import { candidates, carries, waitMs } from '../policy/candidates.ts'
import { encodeMs } from '../policy/profile.ts'
import { type ClusterView, type Decision, type LabelChange, place, type PlaceRequest, type Policy, type PolicyState } from '../policy/policy.ts'

/** Of one encode: a reference to each travels in the hop. */
const MAX_PARTS = 8

export class Chooser {
  readonly policy: Policy
  /** By model. */
  private readonly states = new Map<string, PolicyState>()

  constructor(policy: Policy) {
    this.policy = policy
  }

  place(view: ClusterView, request: PlaceRequest): Decision {
    const decision = place(this.policy, ofModel(view, request.model), request, this.stateOf(request.model))
    if (decision.state !== undefined) this.states.set(request.model, decision.state)
    return decision
  }

  /**
   * Who else is to encode a part of it, the least busy first: those labelled for it, or unlabelled, that would begin
   * before the chosen one was through alone.
   */
  alongside(view: ClusterView, request: PlaceRequest, chosen: string | undefined): string[] {
    const { tiles = 0, phase } = request
    const among = candidates(ofModel(view, request.model), request).filter((i) => carries(i, 'encode'))
    const lead = among.find((i) => i.id === chosen)
    if (phase !== 'encode' || lead === undefined) return []
    const aloneMs = waitMs(lead) + encodeMs(lead.profile, tiles)
    return among
      .filter((i) => i.id !== lead.id && waitMs(i) < aloneMs)
      .sort((a, b) => waitMs(a) - waitMs(b) || a.decodeTokens - b.decodeTokens)
      .slice(0, Math.max(0, Math.min(tiles, MAX_PARTS) - 1))
      .map((i) => i.id)
  }

  /** Flips that no request asks for. */
  tick(view: ClusterView): LabelChange[] {
    const { onTick } = this.policy
    if (onTick === undefined) return []
    return [...new Set(view.instances.map((i) => i.model))].sort().flatMap((model) => {
      const { labels, state } = onTick(ofModel(view, model), this.stateOf(model))
      this.states.set(model, state)
      return labels
    })
  }

  private stateOf(model: string): PolicyState {
    return this.states.get(model) ?? this.policy.initial
  }
}

const ofModel = (view: ClusterView, model: string): ClusterView => ({ ...view, instances: view.instances.filter((i) => i.model === model) })
