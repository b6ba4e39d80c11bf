/** Requests with pictures through encode, prefill, transfer and decode: on the production hosts, in memory, on a virtual clock. */
import { expect, test } from 'vitest'
import type { Submission } from '../../actors/gateway/front.ts'
import type { Label } from '../../runtime/policy/policy.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import { MemoryCluster, type MemoryClusterOptions, picture, readAll, seenPrompt, submission } from '../helpers/memory-cluster.ts'
import { scriptedToken } from '../helpers/script-engine.ts'

type Result = Awaited<ReturnType<typeof readAll>>

/** Text, five tiles of one picture, text, three of another, text. */
const two = (): Submission =>
  submission({
    prompt: Array.from({ length: 24 }, (_, i) => 3 + i),
    pictures: [picture('a house', 2, 5), picture('a tree', 14, 3)],
  })

const expected = (request: Submission): number[] =>
  Array.from({ length: request.sampling.maxTokens }, (_, i) => scriptedToken(seenPrompt(request), request.sampling.seed, 0, i))

async function start(options: MemoryClusterOptions): Promise<MemoryCluster> {
  const cluster = new MemoryCluster({ policy: policyOf('static'), ...options })
  await cluster.start()
  return cluster
}

async function ask(cluster: MemoryCluster, request: Submission, limitMs = 60_000): Promise<Result> {
  let result: Result | undefined
  void cluster.front.submit(request, new AbortController().signal).then(
    async (open) => (result = await readAll(open.tokens)),
    (error) => (result = { shown: [], error }),
  )
  if (!(await cluster.clock.runUntil(() => result !== undefined, limitMs))) throw new Error('no answer')
  return result!
}

/** Nothing of any request is left anywhere. */
async function expectClean(cluster: MemoryCluster, afterMs = 1_000): Promise<void> {
  await cluster.clock.advance(afterMs)
  const alive = cluster.instances.filter((_, i) => cluster.processes.get(`i${i + 1}`)!.alive)
  expect(alive.map((i) => [i.holds.size, i.host.jobs.size, i.stats().load.holds, i.stats().encode?.tiles ?? 0])).toEqual(alive.map(() => [0, 0, 0, 0]))
  expect([...cluster.planes.values()].flatMap((plane) => plane.held())).toEqual([])
  expect(cluster.server.hops.size).toBe(0)
  expect(cluster.errors).toEqual([])
}

interface Told {
  subject: string
  detail: { tiles: number; cached: number; parts: { instance: string; tiles: number; cached: number }[] }
}
/** What each encode said of itself. */
const encodes = (cluster: MemoryCluster): Told['detail'][] =>
  cluster.server.events.filter((e) => e.subject.endsWith('.prefill') && e.subject.includes('.evt.'))
    .map((e) => (JSON.parse(new TextDecoder().decode(e.data)) as Told).detail)

const TOPOLOGIES: Record<string, Label[]> = {
  'E+P+D': ['encode', 'prefill', 'decode'],
  'EP+D': ['encode+prefill', 'decode'],
  'ED+P': ['encode+decode', 'prefill'],
  'E+PD': ['encode', 'prefill+decode'],
  'P+D, nobody labelled for encode': ['prefill', 'decode'],
  '3E+P+D': ['encode', 'encode', 'encode', 'prefill', 'decode'],
}

for (const [name, labels] of [...Object.entries(TOPOLOGIES), ['all in one', []], ['three unlabelled', []]] as [string, Label[]][]) {
  test(`the same bytes: ${name}`, async () => {
    const instances = name === 'all in one' ? 1 : labels.length || 3
    const named = Object.fromEntries(labels.map((label, i) => [`i${i + 1}`, label]))
    const cluster = await start({ instances, labels: named })
    const request = two()
    const result = await ask(cluster, request)
    expect(result.error).toBeUndefined()
    expect(result.shown.map((t) => t.token)).toEqual(expected(request))
    await expectClean(cluster)
  })
}
