/**
 * One hop of one request: pure. All calls into XState are here. A transition costs tens of microseconds: it is made
 * per hop, never per token.
 * @module
 */
import { type AnyMachineSnapshot, initialTransition, transition } from 'xstate'
import type { Json, JsonObject } from '../json.ts'
import { pipelineOf } from './registry.ts'
import type { Effect, FinalState, PhaseEvent, Step, Stored } from './types.ts'

interface Action {
  type: string
  params?: unknown
}

/** Starts a request. Error: `pipeline_not_found`. */
export function start(pipeline: string, input: JsonObject): Step {
  const { machine, id } = pipelineOf(pipeline)
  const [snapshot, actions] = initialTransition(machine, input as never)
  return toStep(id, snapshot, actions, undefined)
}

/** What `event` makes of a stored request. Errors: `pipeline_not_found` for a version this process does not have. */
export function step(stored: Stored, event: PhaseEvent): Step {
  const { machine } = pipelineOf(stored.pipeline)
  const before = machine.resolveState({ value: stored.value as never, context: stored.context })
  const [snapshot, actions] = transition(machine, before, event)
  if (actions.length === 0 && snapshot === before) {
    return { next: stored, state: nameOf(stored.value), effects: [], ignored: true }
  }
  return toStep(stored.pipeline, snapshot, actions, event)
}

/** A state's name as one token: nested values joined by `_`. */
function nameOf(value: Json): string {
  if (typeof value === 'string') return value
  return Object.entries(value as JsonObject).map(([k, v]) => `${k}_${nameOf(v)}`).join('_')
}

function toStep(pipeline: string, snapshot: AnyMachineSnapshot, actions: readonly Action[], event?: PhaseEvent): Step {
  const effects: Effect[] = []
  for (const { type, params } of actions) {
    const p = (params ?? {}) as Record<string, unknown>
    if (type === 'dispatch') effects.push({ kind: 'dispatch', phase: p['phase'] as string, with: p['with'] as JsonObject })
    else if (type === 'entered') effects.push({ kind: 'emit', state: p['state'] as string, report: event?.report ?? {} })
    else if (type === 'release') {
      if (p['ref'] !== null) effects.push({ kind: 'release', ref: p['ref'] as Json })
    } else if (type === 'end') effects.push({ kind: 'end', state: p['state'] as FinalState })
    else if (type === 'xstate.raise') {
      const name = timerName((p['event'] as PhaseEvent).type)
      effects.push({ kind: 'timer', name, afterMs: p['delay'] as number, event: p['event'] as PhaseEvent })
    } else if (type === 'xstate.cancel') effects.push({ kind: 'cancelTimer', name: timerName(p['sendId'] as string) })
  }
  // A state passed through at once (`always`) asks for nothing: only the last dispatch is the next hop.
  const last = effects.findLastIndex((e) => e.kind === 'dispatch')
  return {
    next: {
      pipeline,
      value: snapshot.value as Json,
      context: snapshot.context as JsonObject,
      status: snapshot.status === 'active' ? 'active' : 'done',
    },
    state: nameOf(snapshot.value as Json),
    effects: effects.filter((e, i) => e.kind !== 'dispatch' || (i === last && snapshot.status === 'active')),
    ignored: false,
  }
}

/** XState names delayed events `xstate.after.MS.machine.state`; one token of it names the timer. */
const timerName = (id: string): string => id.replace(/[^A-Za-z0-9_-]/g, '_')
