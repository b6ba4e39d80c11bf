/**
 * An instance's label as a chart: settled, or dwelling after a change, and who may change it when. Pure: the time, the
 * pool and who asks come with the event. Its host makes the change a compare-and-set (runtime/pool/labels.ts).
 * @module
 */
import { assign, createMachine, transition } from 'xstate'

/** A label at rest: what is stored. Times are wall clock, ms. */
export interface LabelRest {
  /** Null = any phase. */
  label: string | null
  /** Who asked: `policy NAME`, `operator`, `start`. */
  by: string
  reason: string
  sinceMs: number
  /** The label before. */
  was: string | null
  /** So long the next change has to wait. */
  dwellMs: number
  /** It broke a rule: an operator wanted it all the same. */
  forced: boolean
  /** Changes so far. */
  flips: number
  /** When a policy last moved it to decode; 0 = never. What a pool's cooldown counts from. */
  toDecodeMs: number
}

/** Someone wants another label, and what the rules are judged by. */
export interface LabelAsk {
  label: string | null
  by: string
  reason: string
  /** Operators only: whatever the rules say. */
  force: boolean
  atMs: number
  /** Least time that the label given now has to last. */
  dwellMs: number
  /** Least time between two changes of a pool to decode, and when the last one was. */
  cooldownMs: number
  poolToDecodeMs: number
  /** Phase that nobody else of the model would take any more; undefined = none. */
  orphan: string | undefined
}

type LabelEvent = ({ type: 'FLIP' } & LabelAsk) | { type: 'TIME'; atMs: number }
interface Context {
  rest: LabelRest
}
type Args = { context: Context; event: LabelEvent }

/** Whether a label takes a phase; null takes any. */
export const takes = (label: string | null, phase: string): boolean => label === null || label.split('+').includes(phase)

/** Whether a change brings decode a hand that it did not have. */
const toDecode = (was: string | null, label: string | null): boolean =>
  !takes(was, 'decode') && label !== null && takes(label, 'decode')

const asked = ({ event }: Args): LabelAsk => event as LabelAsk & LabelEvent
const cools = ({ context, event }: Args): boolean => {
  const { label, atMs, cooldownMs, poolToDecodeMs } = event as LabelAsk & LabelEvent
  return toDecode(context.rest.label, label) && atMs - poolToDecodeMs < cooldownMs
}

const guards = {
  same: (args: Args) => asked(args).label === args.context.rest.label,
  forced: (args: Args) => asked(args).force,
  orphans: (args: Args) => asked(args).orphan !== undefined,
  cools,
  rested: ({ context, event }: Args) => event.atMs - context.rest.sinceMs >= context.rest.dwellMs,
}

const give = assign(({ context: { rest }, event }: Args) => {
  const { label, by, reason, force, atMs, dwellMs } = event as LabelAsk & LabelEvent
  const counts = toDecode(rest.label, label) && by.startsWith('policy')
  const next: LabelRest = {
    label, by, reason, sinceMs: atMs, was: rest.label, dwellMs, forced: force, flips: rest.flips + 1,
    toDecodeMs: counts ? atMs : rest.toDecodeMs,
  }
  return { rest: next }
})

/** No target = the event changes nothing. The first transition whose guard holds is taken. */
const chart = createMachine({
  id: 'label',
  initial: 'settled',
  context: ({ input }: { input: LabelRest }) => ({ rest: input }),
  states: {
    settled: {
      on: {
        FLIP: [
          { guard: guards.same },
          { guard: guards.forced, target: 'dwelling', actions: give },
          { guard: guards.orphans },
          { guard: guards.cools },
          { target: 'dwelling', actions: give },
        ],
      },
    },
    dwelling: {
      on: {
        TIME: { guard: guards.rested, target: 'settled' },
        FLIP: [{ guard: guards.same }, { guard: guards.forced, target: 'dwelling', actions: give }],
      },
    },
  },
} as never)

/** A label nobody has set yet. */
export const NO_LABEL: LabelRest = {
  label: null, by: '', reason: '', sinceMs: 0, was: null, dwellMs: 0, forced: false, flips: 0, toDecodeMs: 0,
}

/** Milliseconds until a policy may change it again. */
export const dwellLeftMs = ({ sinceMs, dwellMs }: LabelRest, nowMs: number): number => Math.max(0, sinceMs + dwellMs - nowMs)

/** What asking makes of a label: the next one, `same` = it has that one, or why not. */
export type LabelStep = { next: LabelRest } | { refused: string; same: boolean }

/** One ask of one label. */
export function stepLabel(rest: LabelRest, ask: LabelAsk): LabelStep {
  const at = (value: string) => chart.resolveState({ value, context: { rest } } as never)
  const [now] = transition(chart, at('dwelling'), { type: 'TIME', atMs: ask.atMs } as never)
  const event = { type: 'FLIP', ...ask } as const
  const [after] = transition(chart, at(now.value as string), event as never)
  const { rest: next } = after.context as unknown as Context
  if (next !== rest) return { next }
  if (rest.label === ask.label) return { refused: `it is labelled ${rest.label ?? 'any'} already`, same: true }
  return { refused: whyNot(rest, ask), same: false }
}

/** The guard that stood in the way, in words. */
function whyNot(rest: LabelRest, ask: LabelAsk): string {
  const dwellMs = dwellLeftMs(rest, ask.atMs)
  if (dwellMs > 0) return `its label is ${ask.atMs - rest.sinceMs} ms old and stays for ${dwellMs} ms more`
  if (ask.orphan !== undefined) return `nobody would be left for ${ask.orphan}`
  return `its pool cools down for ${ask.poolToDecodeMs + ask.cooldownMs - ask.atMs} ms more`
}
