/** Set-ups for tests of the simulator. @module */
import { vi } from 'vitest'
import { type Label, type Loads, type Policy, policyOf } from '../../../runtime/policy/mod.ts'
import {
  type Flip,
  keeps,
  loadOf,
  PackedTrace,
  profileOf,
  type SimOptions,
  Simulation,
  synthesise,
} from '../../../runtime/sim/mod.ts'

// Nothing here waits: these tests compute, and how long that takes is the machine's affair.
vi.setConfig({ testTimeout: 180_000 })

/** `prefill` instances labelled so, the rest of `of` for decode. */
export const split = (prefill: number, of = 8): Label[] =>
  Array.from({ length: of }, (_, i) => (i < prefill ? 'prefill' : 'decode'))

export const SLO = { ttftMs: 3_000, tpotMs: 50 }

/** 4P4D on the 8b profile, Arrow v2 with plain loads, and whatever is different. */
export const setUp = (changes: Partial<SimOptions> = {}): SimOptions => ({
  policy: policyOf('arrow-v2', 'plain'),
  profile: profileOf('8b'),
  slo: SLO,
  labels: split(4),
  ...changes,
})

export const fixed = (prefill: number, changes: Partial<SimOptions> = {}): SimOptions =>
  setUp({ policy: policyOf('static'), labels: split(prefill), ...changes })

export const named = (name: string, loads: Loads = 'plain', changes: Partial<SimOptions> = {}): SimOptions =>
  setUp({ policy: policyOf(name, loads), ...changes })

export const synthetic = (name: string, seed = 1): PackedTrace =>
  new PackedTrace([...synthesise(loadOf(name), seed)].flat())

/** Goodput between two rates, within 2 %: `low` if not even that is kept. */
export function goodput(options: SimOptions, trace: PackedTrace, low: number, high: number): number {
  let [kept, fails] = [low, high]
  while (fails / kept > 1.02) {
    const middle = (kept + fails) / 2
    if (keeps(options, trace, middle)) kept = middle
    else fails = middle
  }
  return kept
}

/** Static labels, but one changes at every tick, in turn: as much flipping as there can be. */
export const restless: Policy = {
  ...policyOf('static'),
  name: 'restless',
  initial: { turn: 0 },
  onTick({ instances }, state) {
    const turn = state['turn'] ?? 0
    const { id, label } = instances[turn % instances.length]!
    const others = instances.filter((i) => i.label === label).length
    const other = label === 'prefill' ? 'decode' : 'prefill'
    return { labels: others > 1 ? [{ instance: id, label: other, reason: 'its turn' }] : [], state: { turn: turn + 1 } }
  },
}

/** A run, with its flips and the simulation to look into. */
export function observe(options: SimOptions, trace: PackedTrace, rate = 1) {
  const flips: Flip[] = []
  const simulation = new Simulation({ ...options, onFlip: (flip) => void (flips.push(flip), options.onFlip?.(flip)) })
  for (let at = 0; at < trace.length; at++) {
    simulation.offer(trace.atMs[at]! / rate, trace.input[at]!, trace.output[at]!, trace.images?.[at])
  }
  return { result: simulation.finish(), flips, simulation }
}
