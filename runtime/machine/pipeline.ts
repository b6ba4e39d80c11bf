/**
 * `definePipeline()`: how a user, and Volley itself, writes a request's state-chart. A chart is plain data in XState's
 * shape; states that work name their `phase`. `done`, `failed` and `cancelled` are added, and every state answers
 * CANCEL, FAIL and DEADLINE.
 * @module
 */
import { type AnyStateMachine, assign, createMachine } from 'xstate'
import { VolleyError } from '../errors.ts'
import { isToken } from '../ids.ts'
import type { JsonObject } from '../json.ts'
import { FINAL_STATES, type PhaseEvent } from './types.ts'

/** One way out of a state. */
export interface TransitionConfig {
  /** Left out = stay (only `update`). Naming the own state enters it anew. */
  target?: string
  /** Name in `guards`. The first transition whose guard holds is taken. */
  guard?: string
  /** Name in `updates`. */
  update?: string
  /** Context key with the reference, or references, to held bytes that are freed on the way (before `update`). */
  release?: string
}

export interface StateConfig {
  /** What an actor of this name does while the request is here. Left out = a state that only waits or decides. */
  phase?: string
  /** What that actor should know besides the context: the same on every visit. */
  with?: JsonObject
  on?: Record<string, string | TransitionConfig | TransitionConfig[]>
  /** Decided at once on entry. */
  always?: TransitionConfig | TransitionConfig[]
  /** Milliseconds -> where to go when the state has lasted so long. */
  after?: Record<number, string | TransitionConfig>
}

export interface PipelineConfig<Input extends JsonObject, Context extends JsonObject> {
  name: string
  /** Raise it when states are renamed or removed: running requests end on the version they began with. @default {1} */
  version?: number
  /** First context, from what was submitted. Small: at most a few kilobytes. */
  context: (input: Input) => Context
  guards?: Record<string, (context: Context, event: PhaseEvent) => boolean>
  updates?: Record<string, (context: Context, event: PhaseEvent) => Partial<Context>>
  /** Context keys that hold references to bytes; freed when the request ends. */
  holds?: (keyof Context & string)[]
  initial: string
  states: Record<string, StateConfig>
}

export interface Pipeline {
  /** `name@version`. */
  readonly id: string
  readonly name: string
  readonly version: number
  readonly initial: string
  readonly states: Readonly<Record<string, StateConfig>>
  /** Every phase that its states ask for. */
  readonly phases: readonly string[]
  readonly machine: AnyStateMachine
}

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value])
const asTransition = (t: string | TransitionConfig): TransitionConfig => (typeof t === 'string' ? { target: t } : t)

/** Checks and compiles a chart. Error: `pipeline_invalid` naming the state and what is wrong with it. */
export function definePipeline<Input extends JsonObject, Context extends JsonObject>(
  config: PipelineConfig<Input, Context>,
): Pipeline {
  const { name, version = 1, guards = {}, updates = {}, holds = [], initial, states } = config
  const invalid = (what: string): never => {
    throw new VolleyError('pipeline_invalid', `Cannot define pipeline "${name}": ${what}`, { param: name })
  }
  if (!isToken(name)) invalid('the name must be letters, digits, - or _')
  if (!(initial in states)) invalid(`initial state "${initial}" is not among its states`)
  for (const final of FINAL_STATES) if (final in states) invalid(`state "${final}" is added by itself, leave it out`)

  const compile = (where: string, raw: string | TransitionConfig) => {
    const { target, guard, update, release } = asTransition(raw)
    const known = target === undefined || target in states || FINAL_STATES.includes(target as never)
    if (!known) invalid(`${where} goes to "${target}", which is not a state`)
    if (guard !== undefined && !(guard in guards)) invalid(`${where} asks guard "${guard}", which is not defined`)
    if (update !== undefined && !(update in updates)) invalid(`${where} asks update "${update}", which is not defined`)
    const actions: unknown[] = []
    if (release !== undefined) actions.push(releaseOf(release))
    if (update !== undefined) {
      actions.push(assign(({ context, event }) => updates[update]!(context as Context, event as PhaseEvent)))
    }
    return {
      ...(target === undefined ? {} : { target, reenter: true }),
      ...(guard === undefined
        ? {}
        : { guard: (a: { context: Context; event: PhaseEvent }) => guards[guard]!(a.context, a.event), meta: { guard } }),
      actions,
    }
  }

  const compiled: Record<string, unknown> = {}
  for (const [state, { phase, with: params = {}, on = {}, always, after = {} }] of Object.entries(states)) {
    if (!isToken(state)) invalid(`state "${state}" must be named by letters, digits, - or _`)
    if (phase !== undefined && !isToken(phase)) invalid(`phase "${phase}" must be letters, digits, - or _`)
    compiled[state] = {
      entry: [{ type: 'entered', params: { state } }, ...(phase === undefined ? [] : [{ type: 'dispatch', params: { phase, with: params } }])],
      on: Object.fromEntries(
        Object.entries(on).map(([event, t]) => [event, list(t).map((one) => compile(`${state}.${event}`, one))]),
      ),
      ...(always === undefined ? {} : { always: list(always).map((one) => compile(`${state}.always`, one)) }),
      after: Object.fromEntries(Object.entries(after).map(([ms, t]) => [ms, compile(`${state}.after`, t)])),
    }
  }
  for (const final of FINAL_STATES) {
    compiled[final] = {
      type: 'final',
      entry: [
        { type: 'entered', params: { state: final } },
        ...holds.map(releaseOf),
        { type: 'end', params: { state: final } },
      ],
    }
  }
  const keepError = assign(({ event }) => ({ error: (event as PhaseEvent)['error'] ?? null }))
  const machine = createMachine({
    id: name,
    initial,
    context: ({ input }: { input: unknown }) => ({ error: null, ...config.context((input ?? {}) as Input) }),
    states: compiled,
    on: {
      CANCEL: { target: '.cancelled', actions: keepError },
      FAIL: { target: '.failed', actions: keepError },
      DEADLINE: { target: '.failed', actions: keepError },
    },
  } as never) as AnyStateMachine

  const phases = [...new Set(Object.values(states).flatMap((s) => (s.phase === undefined ? [] : [s.phase])))]
  return { id: `${name}@${version}`, name, version, initial, states, phases, machine }
}

function releaseOf(key: string) {
  return { type: 'release', params: ({ context }: { context: JsonObject }) => ({ ref: context[key] ?? null }) }
}
