/**
 * The production chart as a table of numbers: every state a request can be in is found once by walking the chart with
 * the machine's own `step()`, so that the simulator's requests live by the same transitions at a millionth of a
 * second each. Knows nothing of time or places.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { start, step } from '../machine/step.ts'
import type { Effect, PhaseEvent, Stored } from '../machine/types.ts'

/** What can happen to a simulated request; the KV reference stands for any. */
const KV = { instance: 'i', incarnation: '', hold: 'h', tokens: 0, blocks: 0, bytes: 0, numerics: '', ticket: null }
const ERROR = { code: 'simulated', message: '' }
export const EVENTS = {
  ENCODED: { type: 'ENCODED', embeds: [] },
  EMBEDS_LOST: { type: 'EMBEDS_LOST' },
  PREFILLED: { type: 'PREFILLED', kv: KV, first: [] },
  PREFILLED_HERE: { type: 'PREFILLED', kv: KV, first: [], decodeHere: true },
  FINISHED: { type: 'FINISHED', generated: [1] },
  TRANSFERRED: { type: 'TRANSFERRED', kv: KV },
  LOCAL: { type: 'LOCAL' },
  KV_LOST: { type: 'KV_LOST' },
  DECODED: { type: 'DECODED', generated: [1] },
  CANCEL: { type: 'CANCEL', error: ERROR },
  FAIL: { type: 'FAIL', error: ERROR },
  DEADLINE: { type: 'DEADLINE', error: ERROR },
} as const satisfies Record<string, PhaseEvent>

export type SimEvent = keyof typeof EVENTS

/** A state a request can be in, context included. */
export interface ChartNode {
  readonly stored: Stored
  readonly state: string
  /** Phase it asks its host for on entry; undefined = nothing more to do. */
  readonly phase: string | undefined
  /** What entering it asks of the host. */
  readonly effects: readonly Effect[]
  readonly done: boolean
  /** Event -> the state it leads to; absent = the chart does not answer it here. */
  readonly next: Partial<Record<SimEvent, ChartNode>>
}

/** More than this and the chart's context counts something without end. */
const MAX_NODES = 2_000

type Open = { -readonly [K in keyof ChartNode]: ChartNode[K] }

/** Compiles what a request with this input can go through. Errors: `pipeline_not_found`, `pipeline_invalid`. */
export function compileChart(pipeline: string, input: JsonObject): ChartNode {
  const known = new Map<string, Open>()
  const queue: Open[] = []
  const visit = (made: { next: Stored; state: string; effects: Effect[] }): Open => {
    const key = JSON.stringify([made.next, made.effects])
    const found = known.get(key)
    if (found) return found
    if (known.size >= MAX_NODES) {
      throw new VolleyError(
        'pipeline_invalid',
        `Cannot tabulate pipeline "${pipeline}": it has more than ${MAX_NODES} states`,
      )
    }
    const dispatched = made.effects.find((e) => e.kind === 'dispatch')
    const node: Open = {
      stored: made.next,
      state: made.state,
      phase: dispatched?.phase,
      effects: made.effects,
      done: made.next.status === 'done',
      next: {},
    }
    known.set(key, node)
    queue.push(node)
    return node
  }
  const first = visit(start(pipeline, input))
  for (let node = queue.shift(); node; node = queue.shift()) {
    if (node.done) continue
    for (const [name, event] of Object.entries(EVENTS)) {
      const made = step(node.stored, event)
      if (!made.ignored) node.next[name as SimEvent] = visit(made)
    }
  }
  return first
}

/** Input of a text request, for the `llm` pipeline. */
export const TEXT_INPUT: JsonObject = { prompt: [], promptTokens: 0, sampling: {}, stop: [], n: 1, images: [] }
/** Compiled once: every simulation goes through them. */
let llm: { text: ChartNode; images: ChartNode } | undefined

/** Where a request of the `llm` pipeline begins. */
export function llmStart(hasImages: boolean): ChartNode {
  llm ??= { text: compileChart('llm', TEXT_INPUT), images: compileChart('llm', { ...TEXT_INPUT, images: [{}] }) }
  return hasImages ? llm.images : llm.text
}
