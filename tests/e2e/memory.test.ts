import { expect, test } from 'vitest'
import { MemoryCluster, readAll, submission } from '../helpers/memory-cluster.ts'
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
