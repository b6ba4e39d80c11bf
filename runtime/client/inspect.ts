/**
 * Requests as people look at them: records and their histories, read from the bus. Serves the gateway's routes and the CLI.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import type { JsonObject } from '../json.ts'
import type { StateEvent } from '../pool/perform.ts'
import { isTerminal, type RequestRecord } from '../wire/hop.ts'

export interface RequestSummary {
  id: string
  state: string
  model: string
  createdMs: number
  epoch: number
  attempt: number
  /** `instance.incarnation` at work on it; empty = nobody. */
  holder: string
}

export interface RequestDetails extends RequestSummary {
  /** The machine's context: as of the last hop. */
  context: JsonObject
  /** What happened, oldest first. */
  history: ({ state: string; atMs: number } & JsonObject)[]
}

const summary = (id: string, r: RequestRecord): RequestSummary => ({
  id, state: r.state, model: r.model, createdMs: r.created, epoch: r.epoch, attempt: r.attempt, holder: isTerminal(r) ? '' : r.holder,
})

/** All records there are, newest first. */
export async function inspectAll(bus: Bus): Promise<RequestSummary[]> {
  const bucket = bus.bucket('volley_requests')
  const found: RequestSummary[] = []
  for (const id of await bucket.keys()) {
    const entry = await bucket.get(id)
    if (entry) found.push(summary(id, entry.json<RequestRecord>()))
  }
  return found.sort((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1))
}

export async function inspectOne(bus: Bus, id: string): Promise<RequestDetails | undefined> {
  const entry = await bus.bucket('volley_requests').get(id)
  if (!entry) return undefined
  const record = entry.json<RequestRecord>()
  const stored = await bus.history(subjects.eventsOfRequest(id))
  const history = stored.map((m) => JSON.parse(new TextDecoder().decode(m.data)) as StateEvent & { state: string; atMs: number } & JsonObject)
  return { ...summary(id, record), context: withoutSecrets((record.last ?? record.next!.stored).context), history }
}

/** Whoever may look at a request must not be able to redeem its tickets. */
const withoutSecrets = (context: JsonObject): JsonObject =>
  JSON.parse(JSON.stringify(context, (key, value: unknown) => (key === 'secret' ? undefined : value))) as JsonObject
