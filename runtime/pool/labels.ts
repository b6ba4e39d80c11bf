/**
 * Which phase an instance is labelled for: scheduler-side metadata. A change is one step of the label's chart
 * (runtime/machine/label.ts), made a compare-and-set, so that two who decide at once cannot both win. The instance
 * itself never looks at it: work that is there finishes there.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import { isVolleyError } from '../errors.ts'
import { type LabelAsk, type LabelRest, NO_LABEL, stepLabel, takes } from '../machine/label.ts'
import type { Label } from '../policy/policy.ts'
import { patiently } from './patience.ts'

/** Value of `volley_labels/<instance>`; the label first and who asked last, so that `nats kv history` reads well. */
export interface LabelValue extends LabelRest {
  label: Label | null
  was: Label | null
  /** `sinceMs` for people. */
  since: string
  /** The process that carried it out. */
  via: string
}

/**
 * Key beside the instances' own: every flip raises it first, with the new value in it. Whoever saw a revision of it has
 * seen every flip up to there, even one whose author died before the instance's own key was written.
 */
export const FLIPS_KEY = '_flips'

/** Value of {@linkcode FLIPS_KEY}. */
export interface FlipNote {
  instance: string
  value: LabelValue
}

/** Times that flips keep. */
export interface FlipRules {
  /** Least time a label lasts. */
  dwellMs: number
  /** Least time between two flips of a model's instances to decode by policies. */
  cooldownMs: number
}

/** One instance as far as its label goes. */
export interface Member {
  id: string
  model: string
  draining: boolean
  value: LabelValue | undefined
}

/** A wish for another label. */
export interface FlipAsk {
  instance: string
  label: Label | null
  /** `policy NAME` or `operator`. */
  by: string
  reason: string
  /** Whatever the rules say. @default {false} */
  force?: boolean
}

/** `outrun`: another flip came in between; look at the cluster again. `same`: it has that label. */
export type FlipOutcome =
  | { status: 'applied'; revision: number; value: LabelValue }
  | { status: 'refused' | 'same'; why: string }
  | { status: 'outrun' }

/** What a flip is decided on: everybody who lives, and the revision of {@linkcode FLIPS_KEY} they were seen at (0 = none). */
export interface FlipView {
  members: readonly Member[]
  seen: number
}

/**
 * Flips one label, if the rules allow it and nothing has flipped since it was decided. `via` names the process. Error:
 * `bus_timeout` (the flip may have happened: look again).
 */
export async function flip(bus: Bus, clock: Clock, ask: FlipAsk, view: FlipView, rules: FlipRules, via: string): Promise<FlipOutcome> {
  const bucket = bus.bucket('volley_labels')
  const atMs = clock.now()
  const rest = view.members.find((m) => m.id === ask.instance)?.value ?? NO_LABEL
  const made = stepLabel(rest, { force: false, ...ask, ...rules, atMs, ...poolOf(ask, view.members) })
  if ('refused' in made) return { status: made.same ? 'same' : 'refused', why: made.refused }
  const value = valueOf(made.next, via)
  try {
    await finishLast(bus, clock, view.seen)
    const note: FlipNote = { instance: ask.instance, value }
    const revision = await bucket.put(FLIPS_KEY, JSON.stringify(note), { expect: view.seen })
    await writeOwn(bus, clock, note)
    return { status: 'applied', revision, value }
  } catch (error) {
    if (isVolleyError(error, 'bus_conflict')) return { status: 'outrun' }
    throw error
  }
}

/** Writes the last flip's own key, should its author have died in between: the next note would hide it. */
async function finishLast(bus: Bus, clock: Clock, seen: number): Promise<void> {
  if (seen === 0) return
  const last = await bus.bucket('volley_labels').get(FLIPS_KEY)
  // Else somebody is ahead of us: the compare-and-set that follows says so.
  if (last?.revision === seen) await writeOwn(bus, clock, last.json<FlipNote>())
}

/** Writes a flip's own key, unless it shows that flip or a later one: who wrote the note may have stood still since. */
function writeOwn(bus: Bus, clock: Clock, { instance, value }: FlipNote): Promise<void> {
  const bucket = bus.bucket('volley_labels')
  return patiently(clock, undefined, async () => {
    const own = await bucket.get(instance)
    const { flips = 0 } = own?.json<LabelValue>() ?? {}
    if (flips < value.flips) await bucket.put(instance, JSON.stringify(value), { expect: own?.revision ?? 0 })
  })
}

/** What the rules look at besides the label itself. */
function poolOf({ instance, label }: FlipAsk, members: readonly Member[]): Pick<LabelAsk, 'orphan' | 'poolToDecodeMs'> {
  const self = members.find((m) => m.id === instance)
  const others = members.filter((m) => m.id !== instance && m.model === self?.model && !m.draining)
  const given = self?.value?.label ?? null
  // Where nobody is labelled for pictures, anybody encodes them: that phase is never left alone.
  const orphan = (['prefill', 'decode'] as const).find((phase) =>
    takes(given, phase) && !takes(label, phase) && !others.some((m) => takes(m.value?.label ?? null, phase))
  )
  return { orphan, poolToDecodeMs: Math.max(0, ...members.filter((m) => m.model === self?.model).map((m) => m.value?.toDecodeMs ?? 0)) }
}

/** Labels an instance that starts, if it has never had a label: one that starts again goes on with its own. Error: `bus_timeout`. */
export async function labelAtStart(bus: Bus, clock: Clock, instance: string, label: Label): Promise<void> {
  const rest = { ...NO_LABEL, label, by: 'start', reason: 'named by --labels', sinceMs: clock.now() }
  try {
    await bus.bucket('volley_labels').put(instance, JSON.stringify(valueOf(rest, instance)), { expect: 0 })
  } catch (error) {
    if (!isVolleyError(error, 'bus_conflict')) throw error
  }
}

function valueOf(rest: LabelRest, via: string): LabelValue {
  const { label, by, reason, sinceMs, was, ...more } = rest
  const since = new Date(sinceMs).toISOString()
  // `nats kv history` shows a value's beginning and its end: what, and who.
  return { label: label as Label | null, since, reason, was: was as Label | null, via, sinceMs, ...more, by }
}
