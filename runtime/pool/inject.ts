/**
 * An event from outside the running phase: cancel, deadline, a chart's own timer (protocol rules 19, 20). The same code
 * serves the gateway, the CLI and timers' hops. A crash anywhere after the record's write is repaired by the next Look.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import type { Clock } from '../clock.ts'
import { step } from '../machine/step.ts'
import type { PhaseEvent } from '../machine/types.ts'
import { isTerminal } from '../wire/hop.ts'
import { endReader } from './ending.ts'
import { publishHop, recordAfter } from './hops.ts'
import { emitStates } from './perform.ts'
import { patiently } from './patience.ts'
import { Records } from './records.ts'

/** `applied`; `ended` = it was terminal already; `ignored` = its state has no answer, or the epoch has passed; `none` = no such request. */
export type Injected = 'applied' | 'ended' | 'ignored' | 'none'

export async function inject(
  bus: Bus,
  clock: Clock,
  id: string,
  event: PhaseEvent,
  { forEpoch, signal }: { forEpoch?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Injected> {
  const records = new Records(bus, clock)
  while (true) {
    const found = await records.read(id, signal)
    if (!found) return 'none'
    const { record, revision } = found
    if (isTerminal(record) || record.next === null) return 'ended'
    if (forEpoch !== undefined && record.epoch !== forEpoch) return 'ignored'
    const made = step(record.next.stored, event)
    if (made.ignored) return 'ignored'
    const after = recordAfter(record, made, clock.now())
    if ((await records.write(id, after, revision, signal)) === undefined) continue
    emitStates(bus, clock, id, after, made, '')
    if (isTerminal(after)) {
      await endReader(bus, clock, id, after, signal)
      await purgeRequest(bus, clock, id, signal)
    } else await publishHop(bus, clock, after.next!, signal)
    bus.publish(subjects.control(id), '{}')
    return 'applied'
  }
}

/**
 * Takes a request's timers and hops out of the queue; the hops last, since whoever dies in between leaves a hop whose
 * next Look does it again. Error: `bus_timeout` after ten seconds.
 */
export async function purgeRequest(bus: Bus, clock: Clock, id: string, signal?: AbortSignal): Promise<void> {
  await patiently(clock, signal, () => bus.purge(subjects.timersOfRequest(id)))
  await patiently(clock, signal, () => bus.purge(subjects.hopsOfRequest(id)))
}
