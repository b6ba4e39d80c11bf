/**
 * A client of a running system, over its bus: look at requests and instances, follow transitions, end a request. What the
 * CLI does, for programs.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { natsBus } from '../bus/nats.ts'
import { keyHistory, subjects } from '../bus/subjects.ts'
import { type Clock, realClock } from '../clock.ts'
import { isVolleyError, VolleyError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Label } from '../policy/policy.ts'
import { inject } from '../pool/inject.ts'
import { type Accuracy, accuracyOf, type AccuracyValue, ADMIT } from '../pool/accuracy.ts'
import { flip, type FlipNote, type FlipOutcome, FLIPS_KEY, type FlipView, type LabelValue } from '../pool/labels.ts'
import { type ActualEntry, type LedgerEntry, withActuals } from '../pool/ledger.ts'
import type { StateEvent } from '../pool/perform.ts'
import type { SchedulerCard } from '../pool/scheduler-card.ts'
import type { InstanceStats } from '../pool/stats.ts'
import { type PolicyWish, policyWish, wishPolicy } from '../pool/wish.ts'
import { inspectAll, inspectOne, type RequestDetails, type RequestSummary } from './inspect.ts'

export type { Accuracy } from '../pool/accuracy.ts'
export { type FlipOutcome, type LabelValue } from '../pool/labels.ts'
export type { LedgerEntry } from '../pool/ledger.ts'
export type { SchedulerCard } from '../pool/scheduler-card.ts'
export { shadowSummary } from '../pool/shadow.ts'
export type { PolicyWish } from '../pool/wish.ts'
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
  /** Labels an instance by hand; its running work stays. Undefined: there is no such instance. */
  flip(instance: string, label: Label | null, options?: FlipOptions): Promise<Exclude<FlipOutcome, { status: 'outrun' }> | undefined>
  /** How far an instance's predictions were off, by phase, as far as it has made any. */
  accuracy(instance: string): Promise<Record<string, Accuracy>>
  /** The same of gateways: from admission to the first token, the wait for an instance included; by name. */
  admissions(): Promise<({ gateway: string } & Accuracy)[]>
  /** Schedulers that live, by name. */
  schedulers(): Promise<(SchedulerCard & { name: string })[]>
  /** The policy an operator wants; undefined = nobody has said. */
  policyWish(): Promise<PolicyWish | undefined>
  /** Every scheduler decides by this policy from now on, requests running or not; null = each by its own `--policy`. */
  wishPolicy(policy: string | null, reason: string): Promise<void>
  /** No new work for an instance, or new work again. False: there is no such instance. */
  drain(instance: string, on: boolean): Promise<boolean>
  /** What schedulers decided about a request, oldest first. */
  decisions(id: string): Promise<LedgerEntry[]>
  /** Calls back at every transition of one request, or of all; the returned function ends it. */
  follow(onTransition: (transition: Transition) => void, id?: string): () => void
  close(): Promise<void>
}

export interface FlipOptions {
  reason?: string
  /** Whatever dwell, cooldown and pool say. @default {false} */
  force?: boolean
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

/** Others may flip in between so often. */
const FLIP_TRIES = 20

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
    async flip(instance, label, { reason = 'by hand', force = false } = {}) {
      const ask = { instance, label, by: 'operator', reason, force }
      for (let tries = 0; tries < FLIP_TRIES; tries++) {
        const view = await flipView(bus)
        if (!view.members.some((m) => m.id === instance)) return undefined
        const made = await flip(bus, clock, ask, view, { dwellMs: await dwellOf(bus), cooldownMs: 0 }, 'volley flip')
        if (made.status !== 'outrun') return made
      }
      throw new VolleyError('bus_conflict', `Cannot flip ${instance}: others flip all the time`, { remedy: 'try again' })
    },
    async accuracy(instance) {
      const kept = (await bus.bucket('volley_predictions').get(instance))?.json<AccuracyValue>() ?? {}
      return Object.fromEntries(Object.entries(kept).map(([phase, tally]) => [phase, accuracyOf(tally)]))
    },
    async admissions() {
      const bucket = bus.bucket('volley_predictions')
      const all: ({ gateway: string } & Accuracy)[] = []
      for (const gateway of (await bucket.keys()).sort()) {
        const tally = (await bucket.get(gateway))?.json<AccuracyValue>()[ADMIT]
        if (tally) all.push({ gateway, ...accuracyOf(tally) })
      }
      return all
    },
    schedulers: () => schedulers(bus),
    policyWish: () => policyWish(bus),
    wishPolicy: (policy, reason) => wishPolicy(bus, clock, policy, reason),
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
      return withActuals(stored.map((m) => JSON.parse(new TextDecoder().decode(m.data)) as LedgerEntry | ActualEntry))
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

async function schedulers(bus: Bus): Promise<(SchedulerCard & { name: string })[]> {
  const bucket = bus.bucket('volley_schedulers')
  const cards: (SchedulerCard & { name: string })[] = []
  for (const name of (await bucket.keys()).sort()) {
    const card = (await bucket.get(name))?.json<SchedulerCard>()
    if (card) cards.push({ name, ...card })
  }
  return cards
}

/** How long a label lasts in this fleet, as its schedulers say. */
const dwellOf = async (bus: Bus): Promise<number> => Math.max(0, ...(await schedulers(bus)).map(({ dwellMs }) => dwellMs))

/** What a flip is decided on, read for once: the note first, so that what follows is not older. */
async function flipView(bus: Bus): Promise<FlipView> {
  const [found, labels] = [bus.bucket('volley_instances'), bus.bucket('volley_labels')]
  const note = await labels.get(FLIPS_KEY)
  const last = note?.json<FlipNote>()
  const members: { id: string; model: string; draining: boolean; value: LabelValue | undefined }[] = []
  for (const id of await found.keys()) {
    const stats = (await found.get(id))?.json<InstanceStats>()
    if (!stats) continue
    const own = (await labels.get(id))?.json<LabelValue>()
    const value = last?.instance === id && last.value.flips > (own?.flips ?? 0) ? last.value : own
    members.push({ id, model: stats.model, draining: stats.state === 'draining', value })
  }
  return { members, seen: note?.revision ?? 0 }
}
