import { expect, test } from 'vitest'
import { getAdjacencyMap } from 'xstate/graph'
import { definePipeline, FINAL_STATES, pipelineOf, type PhaseEvent, registerPipeline, start, step, type Stored } from '../../../runtime/machine/mod.ts'

const kv = { instance: 'a', incarnation: 'x', hold: 'h', tokens: 1, blocks: 1, bytes: 4, numerics: 'n', ticket: null }
const error = { code: 'test', message: 'test' }

/** Every event of the chart, with each field a guard looks at in both ways. */
const EVENTS: PhaseEvent[] = [
  { type: 'ENCODED', embeds: [] },
  { type: 'EMBEDS_LOST' },
  { type: 'PREFILLED', kv, first: [], decodeHere: true },
  { type: 'PREFILLED', kv, first: [], decodeHere: false },
  { type: 'FINISHED', generated: [1] },
  { type: 'TRANSFERRED', kv },
  { type: 'LOCAL' },
  { type: 'KV_LOST' },
  { type: 'DECODED', generated: [1] },
  { type: 'CANCEL', error },
  { type: 'FAIL', error },
  { type: 'DEADLINE', error },
]
const input = (images: number) => ({
  prompt: [1], promptTokens: 1, sampling: {}, stop: [], n: 1, images: Array.from({ length: images }, () => ({})),
})

/** Transitions that the chart declares: [state, event, number of the branch]. */
function declared(): Set<string> {
  const all = new Set<string>()
  const { states } = pipelineOf('llm')
  for (const [name, state] of Object.entries(states)) {
    for (const [event, to] of Object.entries(state.on ?? {})) {
      for (const t of [to].flat()) all.add(`${name} --${event}--> ${typeof t === 'string' ? t : t.target ?? name}`)
    }
    for (const t of [state.always ?? []].flat()) all.add(`${name} --at once--> ${t.target ?? name}`)
    // A state that decides at once is left before anything else can happen to it.
    if (state.always === undefined) {
      for (const [event, to] of [['CANCEL', 'cancelled'], ['FAIL', 'failed'], ['DEADLINE', 'failed']]) all.add(`${name} --${event}--> ${to}`)
    }
  }
  return all
}

test('every transition of the request chart is walked, and survives storage', () => {
  const walked = new Set<string>()
  const seen = new Set<string>()
  const queue: { stored: Stored; state: string }[] = []
  const visit = (stored: Stored, state: string) => {
    const { refills, images } = stored.context
    const key = JSON.stringify([state, refills, images])
    if (seen.has(key)) return
    seen.add(key)
    queue.push({ stored, state })
  }
  for (const images of [0, 1]) {
    const first = start('llm', input(images))
    walked.add(`admitted --at once--> ${first.state}`)
    visit(first.next, first.state)
  }
  for (let at = queue.shift(); at; at = queue.shift()) {
    for (const event of EVENTS) {
      // What is stored goes through bytes, as on the wire.
      const made = step(JSON.parse(JSON.stringify(at.stored)) as Stored, event)
      if (made.ignored) continue
      walked.add(`${at.state} --${event.type}--> ${made.state}`)
      if (made.next.status === 'active') visit(made.next, made.state)
      else expect(made.effects.filter((e) => e.kind === 'end')).toEqual([{ kind: 'end', state: made.state }])
    }
  }
  const all = declared()
  const missing = [...all].filter((t) => !walked.has(t))
  console.log(`${all.size - missing.length} of ${all.size} transitions`)
  expect(missing).toEqual([])
  expect([...walked].filter((t) => !all.has(t))).toEqual([])
})

test('the adjacency map of xstate/graph reaches the same states', () => {
  const { machine, states } = pipelineOf('llm')
  const map = getAdjacencyMap(machine, {
    events: EVENTS as never,
    input: input(1),
    serializeState: (s) => JSON.stringify([s.value, (s.context as { refills: number }).refills]),
    limit: 10_000,
  })
  const reached = new Set(Object.values(map).map((node) => node.state.value as string))
  const waiting = Object.keys(states).filter((name) => states[name]!.always === undefined)
  expect([...reached].sort()).toEqual([...waiting, ...FINAL_STATES].sort())
})

test('every state that waits answers CANCEL, FAIL and DEADLINE', () => {
  const encoded = { type: 'ENCODED', embeds: [] }
  const prefilled = { type: 'PREFILLED', kv, first: [] }
  const reach: Record<string, PhaseEvent[]> = {
    encode: [],
    prefill: [encoded],
    transfer: [encoded, { ...prefilled, decodeHere: false }],
    decode: [encoded, { ...prefilled, decodeHere: true }],
  }
  for (const [state, events] of Object.entries(reach)) {
    let at = start('llm', input(1))
    for (const event of events) at = step(at.next, event)
    expect(at.state).toBe(state)
    expect(step(at.next, { type: 'CANCEL', error }).state).toBe('cancelled')
    expect(step(at.next, { type: 'FAIL', error }).state).toBe('failed')
    const late = step(at.next, { type: 'DEADLINE', error })
    expect([late.state, late.next.context['error']]).toEqual(['failed', error])
  }
})

test('what a request holds is released when it ends, and when its KV has moved', () => {
  const at = step(start('llm', input(0)).next, { type: 'PREFILLED', kv, first: [], decodeHere: false })
  expect(step(at.next, { type: 'CANCEL', error }).effects).toContainEqual({ kind: 'release', ref: kv })
  const moved = step(at.next, { type: 'TRANSFERRED', kv: { ...kv, instance: 'b' } })
  expect(moved.effects.filter((e) => e.kind === 'release')).toEqual([{ kind: 'release', ref: kv }])
  expect(step(moved.next, { type: 'DECODED', generated: [3] }).effects).toContainEqual({ kind: 'release', ref: { ...kv, instance: 'b' } })
})

test('a timer of a chart becomes an effect, and leaving its state cancels it', () => {
  registerPipeline(definePipeline({
    name: 'timed', context: () => ({}), initial: 'waiting',
    states: { waiting: { after: { 250: 'working' }, on: { GO: 'working' } }, working: { phase: 'work', on: { WORKED: 'done' } } },
  }))
  const begun = start('timed', {})
  const [timer] = begun.effects.filter((e) => e.kind === 'timer')
  expect(timer).toMatchObject({ kind: 'timer', afterMs: 250 })
  expect(begun.effects.some((e) => e.kind === 'dispatch')).toBe(false)
  expect(step(begun.next, timer!.event)).toMatchObject({ state: 'working', ignored: false })
  const early = step(begun.next, { type: 'GO' })
  expect(early.effects).toContainEqual({ kind: 'cancelTimer', name: timer!.name })
  expect(early.effects).toContainEqual({ kind: 'dispatch', phase: 'work', with: {} })
})

test('a chart with a mistake is refused with the place of it', () => {
  const define = (states: object) => () =>
    definePipeline({ name: 'p', context: () => ({}), initial: 'a', states: { a: { phase: 'a' }, ...states } as never })
  expect(define({ b: { on: { X: 'nowhere' } } })).toThrow(/b\.X goes to "nowhere"/)
  expect(define({ b: { on: { X: { target: 'a', guard: 'g' } } } })).toThrow(/guard "g"/)
  expect(define({ done: {} })).toThrow(/"done" is added by itself/)
  expect(define({ b: { phase: 'not a token' } })).toThrow(/phase "not a token"/)
})
