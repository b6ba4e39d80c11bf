/**
 * Admission: the deadline's timer, the record, then its first hop, then read (protocol rule 6).
 * @module
 */
import type { Bus } from '../../runtime/bus/bus.ts'
import type { Clock } from '../../runtime/clock.ts'
import { toVolleyError, VolleyError } from '../../runtime/errors.ts'
import { newSecret, toToken } from '../../runtime/ids.ts'
import type { JsonObject } from '../../runtime/json.ts'
import type { PictureRef } from '../../runtime/machine/generate.ts'
import { start } from '../../runtime/machine/step.ts'
import { armDeadline, hopAfter, publishHop } from '../../runtime/pool/hops.ts'
import { inject } from '../../runtime/pool/inject.ts'
import { Inputs } from '../../runtime/pool/inputs.ts'
import { emitStates } from '../../runtime/pool/perform.ts'
import { Records } from '../../runtime/pool/records.ts'
import type { Hop, RequestRecord } from '../../runtime/wire/hop.ts'
import type { Submission } from './front.ts'

/** Pipeline of a request that names none. */
const DEFAULT_PIPELINE = 'llm'

export interface AdmitOptions {
  bus: Bus
  clock: Clock
  gateway: string
  id: string
  /** The submission's pictures, as its phases find them. */
  images: PictureRef[]
}

/** Writes a request's record and queues its first hop. Errors: `pipeline_not_found`, `bus_timeout`, `invalid_request`. */
export async function admit(submission: Submission, { bus, clock, gateway, id, images }: AdmitOptions): Promise<void> {
  const { model, pipeline, lane, prompt, sampling, stop, n, timeoutMs } = submission
  const now = clock.now()
  const promptRef = await new Inputs(bus).keep(id, prompt, { timeoutMs, beside: images.length > 0 })
  const input = { prompt: promptRef, promptTokens: prompt.length, sampling: { ...sampling }, stop, n, images }
  const made = start(pipeline ?? DEFAULT_PIPELINE, input as unknown as JsonObject)
  const seed: Hop = {
    state: made.state, id, epoch: 0, phase: '', with: {}, model: toToken(model), lane, stored: made.next,
    gateway, deadline: now + timeoutMs, created: now,
  }
  const hop = hopAfter(seed, made, 0, now)
  const record: RequestRecord = {
    state: made.state, epoch: 0, attempt: 0, seq: 0, delivery: 0, holder: '', claims: 0, stamp: newSecret(),
    gateway, model: hop.model, created: now, deadline: hop.deadline, next: hop,
  }
  // First of all: should this process die before the hop is queued, the request still ends at its deadline.
  await armDeadline(bus, clock, hop)
  const written = await new Records(bus, clock).write(id, record, 0)
  if (written === undefined) throw new VolleyError('bus_conflict', `Cannot admit request ${id}: its id is taken`)
  emitStates(bus, clock, id, record, made, '')
  try {
    await publishHop(bus, clock, hop)
  } catch (error) {
    const { code, message } = toVolleyError(error)
    // The broker did not take the hop; it may not take this either: the record then ages out by itself.
    await inject(bus, clock, id, { type: 'FAIL', error: { code, message } }).catch(() => undefined)
    throw error
  }
}
