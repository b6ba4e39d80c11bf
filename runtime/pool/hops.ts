/**
 * From a step to what is written and queued: the record of the next epoch, its hop, its timers (protocol rules 2, 15, 20).
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import type { Clock } from '../clock.ts'
import { newSecret } from '../ids.ts'
import type { JsonObject } from '../json.ts'
import type { ErrorInfo, PhaseEvent, Step } from '../machine/types.ts'
import { patiently } from './patience.ts'
import { encodeHop, type Hop, hopId, type RequestRecord, TIMER, WAIT } from '../wire/hop.ts'

/** The record that `step` makes of `record`. */
export function recordAfter(record: RequestRecord, step: Step, now: number): RequestRecord {
  const epoch = record.epoch + 1
  const { gateway, model, created, deadline, attempt } = record
  const base = { epoch, attempt, seq: 0, delivery: 0, holder: '', claims: 0, stamp: newSecret(), gateway, model, created, deadline }
  if (step.next.status === 'done') {
    const error = step.next.context['error'] as ErrorInfo | null
    return { state: step.state, ...base, next: null, last: step.next, ...(error === null ? {} : { error }) }
  }
  return { state: step.state, ...base, next: hopAfter(record.next!, step, epoch, now) }
}

/** The hop of the next epoch. */
export function hopAfter(hop: Hop, step: Step, epoch: number, now: number): Hop {
  const timers: { name: string; atMs: number; event: PhaseEvent }[] = []
  let phase = WAIT
  let params: JsonObject = {}
  for (const effect of step.effects) {
    if (effect.kind === 'dispatch') [phase, params] = [effect.phase, effect.with]
    else if (effect.kind === 'timer') timers.push({ name: effect.name, atMs: now + effect.afterMs, event: effect.event })
  }
  const { id, model, lane, gateway, deadline, created } = hop
  const next: Hop = { state: step.state, id, epoch, phase, with: params, model, lane, stored: step.next, gateway, deadline, created }
  return timers.length === 0 ? next : { ...next, timers }
}

/** Arms the hop's timers and queues it. Safe to repeat: ids are deterministic. Error: `bus_timeout` after ten seconds. */
export async function publishHop(bus: Bus, clock: Clock, hop: Hop, signal?: AbortSignal): Promise<void> {
  for (const { name, atMs, event } of hop.timers ?? []) {
    await appendTimer(bus, clock, { ...hop, event, forEpoch: hop.epoch }, name, atMs, signal)
  }
  if (hop.phase === WAIT) return
  const subject = subjects.hop(hop.phase, hop.model, hop.lane, hop.id)
  await patiently(clock, signal, () => bus.append(subject, encodeHop(hop), { msgId: hopId(hop) }))
}

/** The request's deadline, as a durable timer whatever its state. */
export const armDeadline = (bus: Bus, clock: Clock, hop: Hop, signal?: AbortSignal): Promise<void> => {
  const error = { code: 'deadline', message: `The request was not finished within ${hop.deadline - hop.created} ms` }
  return appendTimer(bus, clock, { ...hop, event: { type: 'DEADLINE', error } }, 'deadline', hop.deadline, signal)
}

async function appendTimer(bus: Bus, clock: Clock, hop: Hop, name: string, atMs: number, signal?: AbortSignal): Promise<void> {
  const { timers: _, ...rest } = hop
  // The timer's hop looks the state up in the record: the snapshot need not ride along.
  const body: Hop = { ...rest, phase: TIMER, stored: { pipeline: hop.stored.pipeline, value: null, context: {}, status: 'active' } }
  const target = subjects.hop(TIMER, hop.model, hop.lane, hop.id)
  await patiently(clock, signal, () =>
    bus.append(subjects.timer(hop.id, name), encodeHop(body), { schedule: { atMs, target } }))
}
