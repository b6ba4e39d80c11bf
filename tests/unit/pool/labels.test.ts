import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryBus } from '../../../runtime/bus/memory.ts'
import { MemoryServer } from '../../../runtime/bus/memory-server.ts'
import type { Bus, Entry } from '../../../runtime/bus/bus.ts'
import type { Label } from '../../../runtime/policy/policy.ts'
import { flip, type FlipNote, FLIPS_KEY, type FlipView, labelAtStart, type LabelValue, type Member } from '../../../runtime/pool/labels.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'

const RULES = { dwellMs: 1_000, cooldownMs: 0 }
const NAMES = ['i1', 'i2', 'i3']

/** A bucket of labels, and a reader that sees it as it is. */
function setUp() {
  const clock = new VirtualClock()
  const server = new MemoryServer(clock)
  const bus = memoryBus(server, { name: 'a', clock })
  const run = async <T>(work: Promise<T>): Promise<T> => {
    let result: { value: T } | { error: unknown } | undefined
    work.then((value) => (result = { value }), (error: unknown) => (result = { error }))
    await clock.runUntil(() => result !== undefined, 60_000)
    if (!result || 'error' in result) throw result?.error ?? new Error('it did not end')
    return result.value
  }
  const label = (id: string) => run(bus.bucket('volley_labels').get(id)).then((entry: Entry | undefined) => entry?.json<LabelValue>())
  const look = async (draining: readonly string[] = []): Promise<FlipView> => {
    const note = await run(bus.bucket('volley_labels').get(FLIPS_KEY))
    const members: Member[] = []
    for (const id of NAMES) members.push({ id, model: 'm', draining: draining.includes(id), value: await label(id) })
    return { members, seen: note?.revision ?? 0 }
  }
  return { clock, bus, run, label, look }
}

const ask = (instance: string, label: Label | null) => ({ instance, label, by: 'policy test', reason: 'test' })

test('flip() writes who, why and since when, readable first', async () => {
  const { bus, clock, run, look, label } = setUp()
  await run(labelAtStart(bus, clock, 'i1', 'prefill'))
  await clock.advance(5_000)
  expect(await run(flip(bus, clock, ask('i1', 'decode'), await look(), RULES, 's1'))).toMatchObject({ status: 'applied' })
  expect(JSON.stringify(await label('i1'))).toMatch(/^\{"label":"decode","since":"[^"]+Z","reason":"test","was":"prefill","via":"s1",.*"by":"policy test"\}$/)
  expect(await run(flip(bus, clock, ask('i1', 'prefill'), await look(), RULES, 's1'))).toMatchObject({ status: 'refused' })
})

test('labelAtStart() leaves an instance the label it had', async () => {
  const { bus, clock, run, label } = setUp()
  await run(labelAtStart(bus, clock, 'i1', 'prefill'))
  await run(labelAtStart(bus, clock, 'i1', 'decode'))
  expect((await label('i1'))!.label).toBe('prefill')
})

test('a flip whose author died before the label was written is finished by the next one', async () => {
  const { bus, clock, run, look, label } = setUp()
  await run(labelAtStart(bus, clock, 'i1', 'prefill'))
  await clock.advance(5_000)
  const view = await look()
  const dying: Bus = {
    ...bus,
    bucket: (name) => {
      const bucket = bus.bucket(name)
      return { ...bucket, put: (key, value, options) => (key === 'i1' ? new Promise(() => undefined) : bucket.put(key, value, options)) }
    },
  }
  void flip(dying, clock, ask('i1', 'decode'), view, RULES, 's1')
  await clock.advance(1_000)
  expect((await label('i1'))!.label).toBe('prefill')
  const note = (await run(bus.bucket('volley_labels').get(FLIPS_KEY)))!
  // As a watcher sees it: the note's own label counts.
  const seen = await look()
  const members = seen.members.map((m) => (m.id === 'i1' ? { ...m, value: note.json<FlipNote>().value } : m))
  expect(await run(flip(bus, clock, ask('i2', 'prefill'), { ...seen, members }, RULES, 's2'))).toMatchObject({ status: 'applied' })
  expect([(await label('i1'))!.label, (await label('i2'))!.label]).toEqual(['decode', 'prefill'])
})

test('a flip whose author stood still before the label was written does not undo the one that came after', async () => {
  const { bus, clock, run, look, label } = setUp()
  await run(labelAtStart(bus, clock, 'i1', 'prefill'))
  await clock.advance(5_000)
  const slow: Bus = {
    ...bus,
    bucket: (name) => {
      const bucket = bus.bucket(name)
      const stands = () => new Promise<void>((resolve) => clock.setTimer(1_000, resolve))
      return { ...bucket, put: (key, ...rest) => (key === 'i1' ? stands().then(() => bucket.put(key, ...rest)) : bucket.put(key, ...rest)) }
    },
  }
  const [early, operator] = [await look(), { ...ask('i1', 'encode'), force: true }]
  const first = flip(slow, clock, ask('i1', 'decode'), early, RULES, 's1')
  await clock.advance(500)
  const note = (await run(bus.bucket('volley_labels').get(FLIPS_KEY)))!
  const members = early.members.map((m) => (m.id === 'i1' ? { ...m, value: note.json<FlipNote>().value } : m))
  expect(await run(flip(bus, clock, operator, { members, seen: note.revision }, RULES, 's2'))).toMatchObject({ status: 'applied' })
  expect(await run(first)).toMatchObject({ status: 'applied' })
  expect((await label('i1'))!.label).toBe('encode')
})

test('whoever flips what, and whatever they saw: no pool is emptied, and no label changes inside its dwell', async () => {
  const action = fc.record({
    instance: fc.constantFrom(...NAMES), label: fc.constantFrom<Label>('prefill', 'decode'), afterMs: fc.constantFrom(0, 300, 1_200),
    stale: fc.boolean(), draining: fc.constantFrom<string[]>([], ['i3']),
  })
  await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 12 }), async (actions) => {
    const { bus, clock, run, look } = setUp()
    await run(labelAtStart(bus, clock, 'i1', 'prefill'))
    await run(labelAtStart(bus, clock, 'i2', 'decode'))
    await run(labelAtStart(bus, clock, 'i3', 'decode'))
    let before = await look()
    for (const { instance, label, afterMs, stale, draining } of actions) {
      await clock.advance(afterMs)
      const now = await look(draining)
      const made = await run(flip(bus, clock, ask(instance, label), stale ? before : now, RULES, 's'))
      const after = await look(draining)
      if (made.status === 'applied') {
        const was = now.members.find((m) => m.id === instance)!.value!
        expect(clock.now() - was.sinceMs).toBeGreaterThanOrEqual(was.dwellMs)
        if (!stale) for (const phase of ['prefill', 'decode'] as const) {
          const size = (view: FlipView) => view.members.filter((m) => !m.draining && m.value!.label === phase).length
          if (size(now) > 0) expect(size(after)).toBeGreaterThan(0)
        }
      } else expect(after).toEqual(now)
      before = now
    }
  }), { numRuns: 60 })
})
