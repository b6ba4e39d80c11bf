/**
 * A client of a running system, over its bus: look at requests and instances, follow transitions, end a request. What the
 * CLI does, for programs.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { natsBus } from '../bus/nats.ts'
import { keyHistory, subjects } from '../bus/subjects.ts'
import { type Clock, realClock } from '../clock.ts'
import { isVolleyError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Label } from '../policy/policy.ts'
import { inject } from '../pool/inject.ts'
import { type LabelValue, setLabel } from '../pool/labels.ts'
import type { LedgerEntry } from '../pool/ledger.ts'
import type { StateEvent } from '../pool/perform.ts'
import type { InstanceStats } from '../pool/stats.ts'
import { inspectAll, inspectOne, type RequestDetails, type RequestSummary } from './inspect.ts'

export type { LedgerEntry } from '../pool/ledger.ts'
export type { RequestDetails, RequestSummary } from './inspect.ts'

/** An instance as it described itself last, and its label. */
export interface InstanceInfo extends InstanceStats {
  label: Label | null
}

/** A transition of some request, as it happens. */
export type Transition = StateEvent & { id: string; atMs: number }

export interface Client {
  /** All requests that are remembered, newest first. */
  requests(): Promise<RequestSummary[]>
  request(id: string): Promise<RequestDetails | undefined>
  /** `applied`; `ended` = it had ended already; `none` = no such request. */
  cancel(id: string): Promise<'applied' | 'ended' | 'ignored' | 'none'>
  instances(): Promise<InstanceInfo[]>
  /** Every label an instance has had, oldest first, as far as they are kept. */
  labels(instance: string): Promise<LabelValue[]>
  /** Labels an instance by hand; its running work stays. False: there is no such instance. */
  flip(instance: string, label: Label | null): Promise<boolean>
  /** No new work for an instance, or new work again. False: there is no such instance. */
  drain(instance: string, on: boolean): Promise<boolean>
  /** What schedulers decided about a request, oldest first. */
  decisions(id: string): Promise<LedgerEntry[]>
  /** Calls back at every transition of one request, or of all; the returned function ends it. */
  follow(onTransition: (transition: Transition) => void, id?: string): () => void
  close(): Promise<void>
}

export interface ConnectOptions {
  /** `nats://HOST:PORT`. */
  nats: string
  signal?: AbortSignal
  clock?: Clock
}

/** Connects to the bus of a running system. Errors: `bus_unreachable`, `server_too_old`. */
export async function connect({ nats, signal, clock = realClock }: ConnectOptions): Promise<Client> {
  const bus = await natsBus({ servers: nats, name: `volley ${newId('client')}`, clock, ...(signal ? { signal } : {}) })
  return clientOf(bus, clock)
}

function clientOf(bus: Bus, clock: Clock): Client {
  return {
    requests: () => inspectAll(bus),
    request: (id) => inspectOne(bus, id),
    cancel: (id) => inject(bus, clock, id, { type: 'CANCEL', error: { code: 'cancelled', message: 'Cancelled by hand' } }),
    async instances() {
      const [found, labels] = [bus.bucket('volley_instances'), bus.bucket('volley_labels')]
      const all: InstanceInfo[] = []
      for (const id of (await found.keys()).sort()) {
        const stats = (await found.get(id))?.json<InstanceStats>()
        if (stats) all.push({ ...stats, label: (await labels.get(id))?.json<LabelValue>().label ?? null })
      }
      return all
    },
    async labels(instance) {
      const stored = await bus.history(keyHistory('volley_labels', instance))
      return stored.filter((m) => m.data.length > 0).map((m) => JSON.parse(new TextDecoder().decode(m.data)) as LabelValue)
    },
    async flip(instance, label) {
      if (!(await bus.bucket('volley_instances').get(instance))) return false
      return await setLabel(bus, clock, instance, { label, by: 'hand', reason: 'volley flip' })
    },
    async drain(instance, on) {
      try {
        await bus.request(subjects.instanceOp(instance, 'drain'), JSON.stringify({ on }), { timeoutMs: 2_000 })
        return true
      } catch (error) {
        if (isVolleyError(error, 'no_responders')) return false
        throw error
      }
    },
    async decisions(id) {
      const stored = await bus.history(subjects.decisionsOfRequest(id))
      return stored.map((m) => JSON.parse(new TextDecoder().decode(m.data)) as LedgerEntry)
    },
    follow(onTransition, id) {
      const subject = id === undefined ? subjects.allEvents : subjects.eventsOfRequest(id)
      const subscription = bus.subscribe(subject, (m) => {
        onTransition({ id: m.subject.split('.')[3]!, ...m.json<Omit<Transition, 'id'>>() })
      })
      return () => subscription.unsubscribe()
    },
    close: () => bus.close(),
  }
}
