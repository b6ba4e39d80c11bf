/**
 * Which phase an instance is labelled for: scheduler-side metadata, changed by compare-and-set only, so that two who
 * decide at once cannot both win. The instance itself never looks at it: work that is there finishes there.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import { isVolleyError } from '../errors.ts'
import type { Label, LabelChange } from '../policy/policy.ts'

/** Value of `volley_labels/<instance>`. */
export interface LabelValue {
  label: Label | null
  sinceMs: number
  /** Who asked, and why. */
  by: string
  reason: string
}

/** Key beside the instances' own: every flip must raise it first, so that two schedulers that saw the same cluster cannot both flip. */
export const FLIPS_KEY = '_flips'

/**
 * Flips an instance's label as one scheduler decided it. `seen` is the revision of the flips key that it decided with.
 * Answers the flips key's new revision; undefined = another flip came in between: look at the cluster again. Error: `bus_timeout`.
 */
export async function flip(bus: Bus, clock: Clock, change: LabelChange, by: string, seen: number): Promise<number | undefined> {
  let revision: number
  try {
    const note = { instance: change.instance, label: change.label, atMs: clock.now(), by }
    revision = await bus.bucket('volley_labels').put(FLIPS_KEY, JSON.stringify(note), { expect: seen })
  } catch (error) {
    if (isVolleyError(error, 'bus_conflict')) return undefined
    throw error
  }
  await setLabel(bus, clock, change.instance, { label: change.label, by, reason: change.reason })
  return revision
}

/**
 * Sets a label where it is still at `expect` (a revision; 0 = never set; undefined = whatever it is). False: somebody
 * else was first. Error: `bus_timeout`.
 */
export async function setLabel(
  bus: Bus,
  clock: Clock,
  instance: string,
  { label, by, reason, expect }: { label: Label | null; by: string; reason: string; expect?: number },
): Promise<boolean> {
  const value: LabelValue = { label, sinceMs: clock.now(), by, reason }
  try {
    await bus.bucket('volley_labels').put(instance, JSON.stringify(value), expect === undefined ? {} : { expect })
    return true
  } catch (error) {
    if (isVolleyError(error, 'bus_conflict')) return false
    throw error
  }
}
