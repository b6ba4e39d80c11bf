import { expect, test } from 'vitest'
import type { Bus } from '../../../runtime/bus/bus.ts'
import { prefillMs } from '../../../runtime/policy/mod.ts'
import type { InstanceStats } from '../../../runtime/pool/stats.ts'
import { Cluster } from '../../../runtime/pool/view.ts'
import { idleEngine } from '../../../bench/idle.ts'
import { instance, request } from '../policy/views.ts'

const { profile } = instance('i1')

/** What an instance says of itself, with whatever is different about it. */
const stats = (load: Partial<InstanceStats['load']> = {}, changes: Partial<InstanceStats> = {}): InstanceStats => ({
  state: 'up', id: 'i1', incarnation: 'a', model: 'm', phases: ['prefill', 'transfer', 'decode'], host: 'h', pid: 1, accepted: 0,
  freeSlots: { prefill: 4, decode: 4, other: 4 }, engine: { ...idleEngine.info, blocksTotal: 10 },
  load: { ...idleEngine.stats(), ...load }, profile, gaps: instance('i1').gaps, holds: 0, jobs: 0, atMs: 0, ...changes,
})

/** A cluster, and how to let an instance speak. */
async function listening() {
  const cluster = new Cluster()
  let speak = (_: InstanceStats): void => undefined
  await cluster.start({
    bucket: () => ({ watch: () => Promise.resolve({ unsubscribe: () => undefined }) }),
    subscribe: (_: string, heard: (message: { json(): InstanceStats }) => void) => {
      speak = (value) => heard({ json: () => value })
      return { unsubscribe: () => undefined }
    },
  } as unknown as Bus)
  return { cluster, speak: (value: InstanceStats) => speak(value), seen: () => cluster.view().instances[0]! }
}

const prompt = (promptTokens: number) => request('prefill', { promptTokens })

test('the wait for prefill is the sum over its prompts, not that of one long one', async () => {
  const { cluster, speak, seen } = await listening()
  speak(stats())
  expect(seen().prefillWaitMs).toBe(0)
  speak(stats({ prefillsWaiting: 10, prefillTokensWaiting: 20_000 }))
  expect(seen().prefillWaitMs).toBeCloseTo(10 * prefillMs(profile, 2_000), 9)
  cluster.place('i1', prompt(500))
  cluster.place('i1', prompt(4_000))
  expect(seen().prefillWaitMs)
    .toBeCloseTo(10 * prefillMs(profile, 2_000) + prefillMs(profile, 500) + prefillMs(profile, 4_000), 9)
})

test('its own placements are in the view until a heartbeat has them', async () => {
  const { cluster, speak, seen } = await listening()
  speak(stats())
  const [first, second] = [cluster.place('i1', prompt(100)), cluster.place('i1', request('transfer', { promptTokens: 70 }))]
  const figures = () => [seen().prefillTokens, seen().prefills, seen().freeSlots.prefill, seen().decodeTokens, seen().decodes]
  expect(figures()).toEqual([100, 1, 3, 70, 1])
  cluster.settle('i1', first, 1)
  cluster.settle('i1', second, 2)
  expect(figures(), 'answered, not shown yet').toEqual([100, 1, 3, 70, 1])
  speak(stats({ prefillsWaiting: 1, prefillTokensWaiting: 100 }, { accepted: 1, atMs: 1 }))
  expect(figures(), 'the first is in the heartbeat').toEqual([100, 1, 4, 70, 1])
  speak(stats({ decodeTokens: 70 }, { accepted: 2, atMs: 2 }))
  expect(figures()).toEqual([0, 0, 4, 70, 0])
})

test('a refusal takes a placement back, and an instance that starts again has none', async () => {
  const { cluster, speak, seen } = await listening()
  speak(stats())
  cluster.settle('i1', cluster.place('i1', prompt(100)), undefined)
  expect(seen().prefillTokens).toBe(0)
  cluster.settle('i1', cluster.place('i1', prompt(100)), 7)
  speak(stats({}, { incarnation: 'b', atMs: 1 }))
  expect(seen().prefillTokens).toBe(0)
})
