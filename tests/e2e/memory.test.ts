import { expect, test } from 'vitest'
import type { InstanceHost } from '../../runtime/pool/host.ts'
import { sleep } from '../../runtime/clock.ts'
import { defineActor } from '../../runtime/pool/actor.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import { MemoryCluster, type MemoryClusterOptions, readAll, submission } from '../helpers/memory-cluster.ts'
import { scriptedToken } from '../helpers/script-engine.ts'

test('one request walks through prefill, transfer and decode on two instances', async () => {
  const cluster = new MemoryCluster()
  await cluster.start()
  let result: Awaited<ReturnType<typeof readAll>> | undefined
  const go = async () => {
    const open = await cluster.front.submit(submission(), new AbortController().signal)
    result = await readAll(open.tokens)
  }
  void go()
  expect(await cluster.clock.runUntil(() => result !== undefined, 60_000)).toBe(true)
  expect(cluster.errors).toEqual([])
  expect(result!.error).toBeUndefined()
  expect(result!.shown.map((t) => t.token)).toEqual([0, 1, 2, 3, 4].map((i) => scriptedToken([5, 6, 7], 1, 0, i)))
  await cluster.clock.advance(100)
  expect(cluster.server.events.filter((e) => e.subject.includes('.evt.')).map((e) => e.subject.split('.').at(-1))).toEqual([
    'admitted',
    'prefill',
    'claimed',
    'transfer',
    'claimed',
    'decode',
    'claimed',
    'done',
  ])
  expect(cluster.server.hops.size).toBe(0)
  expect(cluster.server.scheduled()).toEqual([])
  expect(cluster.instances.map((i) => [i.holds.size, i.host.jobs.size])).toEqual([[0, 0], [0, 0]])
})

test('more prompts than there is room for: each waits, none fails, all end', async () => {
  // Ten blocks of four tokens an instance: three prompts with their answers at the most.
  const cluster = new MemoryCluster({ blocksTotal: 10 })
  await cluster.start()
  const results: (Awaited<ReturnType<typeof readAll>> | undefined)[] = Array.from({ length: 24 }, () => undefined)
  for (const i of results.keys()) {
    const request = submission({ prompt: [i, 1, 2, 3, 4, 5, 6, 7] })
    void cluster.front.submit(request, new AbortController().signal).then(async (open) => (results[i] = await readAll(open.tokens)))
  }
  expect(await cluster.clock.runUntil(() => results.every((r) => r !== undefined), 300_000)).toBe(true)
  expect(results.map((r) => r!.error?.message)).toEqual(results.map(() => undefined))
  for (const [i, result] of results.entries()) {
    expect(result!.shown.map((t) => t.token)).toEqual([0, 1, 2, 3, 4].map((at) => scriptedToken([i, 1, 2, 3, 4, 5, 6, 7], 1, 0, at)))
  }
  await cluster.clock.advance(60_000)
  expect(cluster.instances.map((i) => [i.holds.size, i.host.jobs.size])).toEqual([[0, 0], [0, 0]])
  expect(cluster.server.hops.size).toBe(0)
})

test('what an actor keeps after its job was dropped is freed at once', async () => {
  let kept = false
  const late = defineActor({
    name: 'prefill',
    slots: 'prefill',
    async run({ id, attempt, signal, clock, services }) {
      while (!signal.aborted) await sleep(clock, 10)
      await sleep(clock, 200)
      services.holds.keep(`${id}.${attempt}`, id, attempt, 3)
      kept = true
      return { type: 'PREFILLED' }
    },
  })
  const cluster = new MemoryCluster({ instances: 1, schedulers: 1, actors: [late] })
  await cluster.start()
  const ended = cluster.front.submit(submission(), new AbortController().signal).then(async (open) => {
    cluster.clock.setTimer(500, () => open.cancel())
    return await readAll(open.tokens)
  })
  expect(await cluster.clock.runUntil(() => kept, 10_000)).toBe(true)
  await cluster.clock.advance(50)
  expect((await ended).error?.code).toBe('cancelled')
  expect(cluster.instances.map((i) => [i.holds.size, i.host.jobs.size])).toEqual([[0, 0]])
})

test('a claim that cannot be written leaves no room counted as taken', async () => {
  // Nothing that the first instance writes arrives, until it gives up; only then does the second take work.
  const onOperation: MemoryClusterOptions['onOperation'] = ({ client, kind, subject }) =>
    client === 'i1' && kind === 'put' && subject.includes('volley_requests') ? 'lose' : 'ok'
  const cluster = new MemoryCluster({ onOperation, policy: policyOf('single') })
  await cluster.start()
  let result: Awaited<ReturnType<typeof readAll>> | undefined
  void cluster.front.submit(submission(), new AbortController().signal).then(async (open) => (result = await readAll(open.tokens)))
  const [first, second] = cluster.instances.map((instance) => instance.host) as [InstanceHost, InstanceHost]
  second.draining = true
  cluster.clock.setTimer(3_000, () => (first.draining = true))
  cluster.clock.setTimer(20_000, () => (second.draining = false))
  expect(await cluster.clock.runUntil(() => result !== undefined, 50_000)).toBe(true)
  expect(result!.error).toBeUndefined()
  await cluster.clock.advance(20_000)
  expect(cluster.instances.map((instance) => instance.holds.waitingTokens)).toEqual([0, 0])
})

test('a broker that is away for longer than a holder has patience: its hop goes to the next one', async () => {
  const away = defineActor({
    name: 'prefill',
    slots: 'prefill',
    async run({ clock, attempt }) {
      if (attempt === 1) cluster.server.restart(20_000)
      await sleep(clock, 3_000)
      return { type: 'FAIL', error: { code: 'overloaded', message: `by attempt ${attempt}` } }
    },
  })
  const cluster = new MemoryCluster({ actors: [away] })
  await cluster.start()
  let result: Awaited<ReturnType<typeof readAll>> | undefined
  void cluster.front.submit(submission(), new AbortController().signal).then(async (open) => (result = await readAll(open.tokens)))
  expect(await cluster.clock.runUntil(() => result !== undefined, 120_000)).toBe(true)
  expect(result!.error).toMatchObject({ code: 'overloaded', message: 'by attempt 2' })
  await cluster.clock.advance(1_000)
  expect(cluster.instances.map((i) => [i.host.jobs.size, i.holds.waitingTokens])).toEqual([[0, 0], [0, 0]])
})
