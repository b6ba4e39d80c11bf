/**
 * Whether something is a policy, and whether what it answers is an answer: for those that users write. Knows shapes, not
 * sense: a bad choice is a policy's right.
 * @module
 */
import { VolleyError } from '../errors.ts'
import {
  type ClusterView,
  type Decision,
  type LabelChange,
  LABELS,
  type Policy,
  type PolicyState,
  type TickDecision,
} from './policy.ts'

const HOOKS = ['onArrival', 'onFirstToken'] as const

type Fields = Record<string, unknown>
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const isState = (value: unknown): value is PolicyState => isObject(value) && Object.values(value).every((v) => typeof v === 'number')

/** The value as a policy whose answers are checked. `where` names its file. Error: `policy_invalid` naming the field. */
export function checkPolicy(value: unknown, where: string): Policy {
  const refuse = (what: string): never => {
    throw new VolleyError('policy_invalid', `${where} is no policy: ${what}`, {
      param: 'policy', remedy: 'export default { name, initial, onArrival, onFirstToken } of type Policy',
    })
  }
  if (!isObject(value)) return refuse('its default export is no object')
  const { name, initial, onTick, flips } = value
  if (typeof name !== 'string' || !/^[a-z0-9-]+$/.test(name)) return refuse('`name` must be small letters, digits and -')
  if (!isState(initial)) return refuse('`initial` must be an object of numbers')
  for (const hook of HOOKS) if (typeof value[hook] !== 'function') return refuse(`\`${hook}\` must be a function`)
  if (onTick !== undefined && typeof onTick !== 'function') return refuse('`onTick` must be a function, or left out')
  if (flips !== undefined && !isState(flips)) return refuse('`flips` must be { dwellMs?, cooldownMs? }')
  const policy = value as unknown as Policy
  const guarded: Policy = {
    name,
    initial,
    ...(policy.flips && { flips: policy.flips }),
    onArrival: (view, request, state) => decided(policy, 'onArrival', view, () => policy.onArrival(view, request, state)),
    onFirstToken: (view, request, state) => decided(policy, 'onFirstToken', view, () => policy.onFirstToken(view, request, state)),
    ...(policy.onTick && { onTick: (view, state) => ticked(policy, view, () => policy.onTick!(view, state)) }),
  }
  return guarded
}

/** Asks a hook; what it throws or answers wrongly is the policy's error, by name. */
function asked<T>(policy: Policy, hook: string, ask: () => T, wrongWith: (answer: unknown) => string | undefined): T {
  const failed = (what: string, cause?: unknown) =>
    new VolleyError('policy_invalid', `Policy "${policy.name}" failed in ${hook}: ${what}`, { param: 'policy', cause })
  let answer: T
  try {
    answer = ask()
  } catch (cause) {
    throw failed(cause instanceof Error ? cause.message : String(cause), cause)
  }
  const wrong = wrongWith(answer)
  if (wrong !== undefined) throw failed(wrong)
  return answer
}

function decided(policy: Policy, hook: string, view: ClusterView, ask: () => Decision): Decision {
  return asked(policy, hook, ask, (answer) => {
    if (!isObject(answer)) return 'it answered no decision'
    const { instance, scores, reason, labels, state } = answer
    if (instance !== undefined && !view.instances.some((i) => i.id === instance)) return `there is no instance ${JSON.stringify(instance)}`
    if (!isObject(scores)) return '`scores` must be an object'
    if (typeof reason !== 'string') return '`reason` must be text'
    return wrongState(state) ?? wrongLabels(view, labels)
  })
}

function ticked(policy: Policy, view: ClusterView, ask: () => TickDecision): TickDecision {
  return asked(policy, 'onTick', ask, (answer) => {
    if (!isObject(answer)) return 'it answered no decision'
    if (!Array.isArray(answer['labels'])) return '`labels` must be a list'
    if (answer['state'] === undefined) return '`state` is missing'
    return wrongState(answer['state']) ?? wrongLabels(view, answer['labels'])
  })
}

const wrongState = (state: unknown): string | undefined =>
  state === undefined || isState(state) ? undefined : '`state` must be an object of numbers'

function wrongLabels(view: ClusterView, labels: unknown): string | undefined {
  if (labels === undefined) return undefined
  if (!Array.isArray(labels)) return '`labels` must be a list'
  for (const { instance, label, reason } of labels as LabelChange[]) {
    if (!view.instances.some((i) => i.id === instance)) return `it flips ${JSON.stringify(instance)}, which is not there`
    if (!LABELS.includes(label)) return `it flips ${instance} to ${JSON.stringify(label)}, which is no label`
    if (typeof reason !== 'string') return `it flips ${instance} and gives no reason`
  }
  return undefined
}
