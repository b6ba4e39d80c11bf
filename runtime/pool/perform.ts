/**
 * The effects of a step that need no fence: events for observers, and freeing what is held. Dispatch, timers and end are
 * part of the finish itself (hops.ts, host.ts), whose order matters.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import type { Clock } from '../clock.ts'
import type { Json } from '../json.ts'
import type { Step } from '../machine/types.ts'
import type { RequestRecord } from '../wire/hop.ts'

/** Publishes every state that the step entered, in order. */
export function emitStates(bus: Bus, clock: Clock, id: string, after: RequestRecord, step: Step, instance: string): void {
  for (const effect of step.effects) {
    if (effect.kind !== 'emit') continue
    emit(bus, clock, id, { state: effect.state, epoch: after.epoch, attempt: after.attempt, instance, detail: effect.report })
  }
}

/** One line of a request's history. */
export interface StateEvent {
  state: string
  epoch: number
  attempt: number
  /** Who did the work that led here; empty = a gateway, a timer or a person. */
  instance: string
  detail: Json
}

export function emit(bus: Bus, clock: Clock, id: string, event: StateEvent): void {
  bus.publish(subjects.event(id, event.state), JSON.stringify({ ...event, atMs: clock.now() }))
}

/** References to free, in order. */
export const releasesOf = (step: Step): Json[] =>
  step.effects.flatMap((e) => (e.kind === 'release' ? (Array.isArray(e.ref) ? e.ref : [e.ref]) : []))
