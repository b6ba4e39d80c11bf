/**
 * How the elastic policies move a label: which instance of a pool is given away, and which label it gets. A label can
 * stand for two phases; nobody is given away who is the last to carry one of them.
 * @module
 */
import { carries, lowest, pool, waitMs } from './candidates.ts'
import {
  type ClusterView,
  type Decision,
  type InstanceView,
  type Label,
  type LabelChange,
  type Phase,
  PHASES,
  type Score,
} from './policy.ts'

/** The label that makes an instance carry a phase: what others of the pool have, else the phase alone. */
function labelFor(view: ClusterView, phase: Phase): Label {
  return pool(view, phase)[0]?.label ?? phase
}

/** Work of a phase that an instance has. */
const workOf = (i: InstanceView, phase: Phase): number =>
  phase === 'prefill' ? i.prefills : phase === 'decode' ? i.decodes : i.encodes

/**
 * Members of the pool `from` that could be given to `to`: they have kept their label for `dwellMs`, and every phase they
 * would give up has another who carries it.
 */
function movable(view: ClusterView, from: Phase, to: Phase, dwellMs: number): InstanceView[] {
  const label = labelFor(view, to)
  const lost = (i: InstanceView) => PHASES.filter((phase) => i.label!.includes(phase) && !label.includes(phase))
  return pool(view, from).filter((i) =>
    !carries(i, to) && view.nowMs - i.labelSinceMs >= dwellMs && lost(i).every((phase) => pool(view, phase).length > 1)
  )
}

/** Half-flipped instances first, those that have work of `to` already; then the least work that stays there. */
const byResidentWork = (from: Phase, to: Phase) => (i: InstanceView): Score => [
  workOf(i, to) > 0 ? 0 : 1,
  from === 'decode' ? i.decodeTokens : waitMs(i),
]

/**
 * Gives an instance of one pool to another; undefined = there is none to give. Without both SLOs nobody moves: each pays
 * for one direction, so with one alone labels would end up all on one side.
 */
export function give(
  view: ClusterView,
  { from, to, reason, dwellMs = 0 }: { from: Phase; to: Phase; reason: string; dwellMs?: number },
): LabelChange | undefined {
  if (view.slo.ttftMs === Infinity || view.slo.tpotMs === Infinity) return undefined
  const chosen = lowest(movable(view, from, to, dwellMs), byResidentWork(from, to))
  return chosen && { instance: chosen.id, label: labelFor(view, to), reason }
}

/** Places a hop on the instance that is flipped for it. */
export function flipped(
  able: readonly InstanceView[],
  change: LabelChange,
  score: (instance: InstanceView) => number,
): Decision {
  const scores = Object.fromEntries(able.map((i) => [i.id, score(i)]))
  return { instance: change.instance, labels: [change], scores, reason: `flipped: ${change.reason}` }
}
