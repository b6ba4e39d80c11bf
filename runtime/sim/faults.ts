/**
 * What can go wrong in a simulation: an instance dies (and may come back), an instance is slow for a while, the broker
 * is away for a while. A list of them is part of a run's input: the same list gives the same run.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { SimInstance } from './instance.ts'

const KINDS = ['death', 'slow', 'outage'] as const

export interface Fault {
  readonly kind: (typeof KINDS)[number]
  /** Whose; for an outage `broker`. */
  readonly instance: string
  readonly atMs: number
  /** Infinity = for good. */
  readonly durationMs: number
  /** Of an instance that is slow: its iterations take so many times as long. */
  readonly factor: number
}

/** Default of `factor`. */
const SLOW = 2

/** Reads `KIND:INSTANCE:ATMS[:DURATIONMS][:FACTOR]`. Error: `invalid_flag`. */
export function readFault(text: string): Fault {
  const [kind, instance = '', at, duration, factor, more] = text.split(':')
  const fault = {
    kind: KINDS.find((k) => k === kind),
    instance,
    atMs: numberOf(at, NaN),
    durationMs: numberOf(duration, Infinity),
    factor: numberOf(factor, SLOW),
  }
  const sound = fault.kind !== undefined && more === undefined && fault.atMs >= 0 && fault.durationMs > 0 &&
    fault.factor > 0 && instance !== '' && (fault.kind === 'outage') === (instance === 'broker') &&
    (fault.kind === 'slow' || factor === undefined) && (fault.kind !== 'outage' || fault.durationMs < Infinity)
  if (sound) return fault as Fault
  throw new VolleyError('invalid_flag', `Cannot simulate the fault "${text}"`, {
    param: 'fault',
    remedy: 'give death:i0:60000, death:i0:60000:30000 (back after 30 s), slow:i1:60000:30000:4 (four times as slow), ' +
      'or outage:broker:60000:5000',
  })
}

const numberOf = (text: string | undefined, otherwise: number): number =>
  text === undefined || text.trim() === '' ? otherwise : Number(text)

/** What faults happen to. */
export interface FaultHost {
  readonly instances: ReadonlyMap<string, SimInstance>
  at(atMs: number, then: () => void): void
  die(instance: SimInstance): void
  rise(instance: SimInstance): void
  loseBroker(durationMs: number): void
}

/**
 * Has faults happen when their times come: an instance is dead while any death of it lasts, and as slow as all its
 * slownesses together. Error: `invalid_flag` for an instance that is not there.
 */
export function arrange(faults: readonly Fault[], host: FaultHost): void {
  for (const { kind, instance: id, atMs, durationMs } of faults) {
    if (kind === 'outage') {
      host.at(atMs, () => host.loseBroker(durationMs))
      continue
    }
    const instance = host.instances.get(id)
    if (instance === undefined) {
      throw new VolleyError('invalid_flag', `There is no instance "${id}" to go wrong`, {
        param: 'fault',
        remedy: `name one of ${[...host.instances.keys()].join(', ')}`,
      })
    }
    for (const nowMs of [atMs, atMs + durationMs]) {
      const now = faults.filter((f) => f.instance === id && f.atMs <= nowMs && nowMs < f.atMs + f.durationMs)
      host.at(nowMs, () => {
        instance.slowness = now.reduce((slowness, { kind, factor }) => (kind === 'slow' ? slowness * factor : slowness), 1)
        if (now.some(({ kind }) => kind === 'death')) host.die(instance)
        else host.rise(instance)
      })
    }
  }
}
