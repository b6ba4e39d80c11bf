import { expect, test } from 'vitest'
import { definePipeline, registerPipeline, start, step } from '../../../runtime/machine/mod.ts'
import { type ChartNode, compileChart, EVENTS, type SimEvent, TEXT_INPUT } from '../../../runtime/sim/chart.ts'

const names = Object.keys(EVENTS) as SimEvent[]

function reachable(first: ChartNode): ChartNode[] {
  const seen = new Set([first])
  for (const node of seen) for (const next of Object.values(node.next)) seen.add(next)
  return [...seen]
}

for (const images of [0, 1]) {
  test(`the table and the machine agree on every transition of the llm chart, with ${images} images`, () => {
    const input = { ...TEXT_INPUT, images: Array.from({ length: images }, () => ({})) }
    const first = compileChart('llm', input)
    expect(first).toMatchObject({ state: start('llm', input).state, stored: start('llm', input).next })
    const nodes = reachable(first)
    let transitions = 0
    for (const node of nodes) {
      for (const name of names) {
        const made = step(node.stored, EVENTS[name])
        const next = node.next[name]
        expect(next === undefined, `${node.state} ${name}`).toBe(node.done || made.ignored)
        if (next === undefined) continue
        transitions++
        expect({ stored: next.stored, state: next.state, effects: next.effects }, `${node.state} ${name}`)
          .toEqual({ stored: made.next, state: made.state, effects: made.effects })
        expect(next.done).toBe(made.next.status === 'done')
        expect(next.phase).toBe(made.effects.find((e) => e.kind === 'dispatch')?.phase)
      }
    }
    expect(transitions).toBeGreaterThan(100)
    const states = new Set(nodes.map((n) => n.state))
    for (const state of ['prefill', 'transfer', 'decode', 'done', 'failed', 'cancelled']) {
      expect([...states]).toContain(state)
    }
    expect(states.has('encode')).toBe(images > 0)
  })
}

test("a long walk through the table is the machine's own walk", () => {
  const path: SimEvent[] = [
    'PREFILLED',
    'KV_LOST',
    'PREFILLED',
    'TRANSFERRED',
    'KV_LOST',
    'PREFILLED',
    'LOCAL',
    'DECODED',
  ]
  let node = compileChart('llm', TEXT_INPUT)
  let stored = start('llm', TEXT_INPUT).next
  for (const name of path) {
    node = node.next[name]!
    stored = step(stored, EVENTS[name]).next
    expect(node.stored).toEqual(stored)
  }
  expect(node.done).toBe(true)
})

test('the chart itself ends a request that loses its KV again and again, when the machine does', () => {
  let node = compileChart('llm', TEXT_INPUT)
  let stored = start('llm', TEXT_INPUT).next
  while (!node.done) {
    node = node.next.PREFILLED!.next.KV_LOST!
    stored = step(step(stored, EVENTS.PREFILLED).next, EVENTS.KV_LOST).next
  }
  expect([node.state, stored.status]).toEqual(['failed', 'done'])
})

test('a chart that counts without end is refused', () => {
  registerPipeline(definePipeline({
    name: 'endless',
    context: () => ({ n: 0 }),
    updates: { more: (context) => ({ n: (context['n'] as number) + 1 }) },
    initial: 'a',
    states: { a: { phase: 'prefill', on: { PREFILLED: { target: 'a', update: 'more' } } } },
  }))
  expect(() => compileChart('endless', {})).toThrow(/more than/)
})
