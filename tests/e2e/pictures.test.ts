/** Requests with pictures through encode, prefill, transfer and decode: on the production hosts, in memory, on a virtual clock. */
import { expect, test } from 'vitest'
import type { Submission } from '../../actors/gateway/front.ts'
import type { Fate, Operation } from '../../runtime/bus/memory.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import type { Label } from '../../runtime/policy/policy.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import { flip } from '../../runtime/pool/labels.ts'
import { Cluster } from '../../runtime/pool/view.ts'
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
  const planes = [...cluster.planes].filter(([name]) => cluster.processes.get(name)!.alive)
  expect(planes.flatMap(([, plane]) => plane.held())).toEqual([])
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

test('the tiles of one request are spread over 1, 2 and 3 encode instances, in even parts', async () => {
  const spread: number[][] = []
  for (const encoders of [1, 2, 3]) {
    const labels: Record<string, Label> = { i4: 'prefill', i5: 'decode' }
    for (let i = 1; i <= encoders; i++) labels[`i${i}`] = 'encode'
    // Those that are left over encode nothing.
    for (let i = encoders + 1; i <= 3; i++) labels[`i${i}`] = 'decode'
    const cluster = await start({ instances: 5, labels })
    const request = two()
    const { shown, error } = await ask(cluster, request)
    expect(error).toBeUndefined()
    expect(shown.map((t) => t.token)).toEqual(expected(request))
    const [told] = encodes(cluster)
    expect([told!.tiles, told!.cached]).toEqual([8, 0])
    spread.push(told!.parts.map(({ tiles }) => tiles))
    expect(told!.parts.map(({ instance }) => instance).sort()).toEqual(['i1', 'i2', 'i3'].slice(0, encoders))
    for (const { instance, tiles } of told!.parts) expect(cluster.engines[Number(instance[1]) - 1]!.encoded).toBe(tiles)
    // Whoever leads, the same pictures find their tiles again.
    await ask(cluster, request)
    expect(encodes(cluster)[1]!.cached).toBe(8)
    await expectClean(cluster)
  }
  expect(spread).toEqual([[8], [4, 4], [2, 3, 3]])
})

test('a shadow that decides the same expects the same, also where tiles are spread', async () => {
  const labels: Record<string, Label> = { i1: 'encode', i2: 'encode', i3: 'prefill', i4: 'decode' }
  const cluster = await start({ instances: 4, labels, policyName: 'static', shadow: 'static' })
  expect((await ask(cluster, two())).error).toBeUndefined()
  const tallies = cluster.schedulers.flatMap((s) => s.card().shadow!.tallies['encode'] ?? [])
  expect(tallies).toMatchObject([{ decisions: 1, agreed: 1 }])
  expect(tallies[0]!.shadowMsSum).toBe(tallies[0]!.realMsSum)
})

test('prefill is placed, and the text before the picture computed, while tiles are still in the encoder', async () => {
  const cluster = await start({ instances: 3, labels: { i1: 'encode', i2: 'prefill', i3: 'decode' } })
  const done = ask(cluster, two())
  // Eight tiles take 160 ms.
  expect(await cluster.clock.runUntil(() => cluster.instances[1]!.host.jobs.size === 1, 60)).toBe(true)
  expect(cluster.engines[0]!.encoded).toBeLessThan(3)
  expect((await done).error).toBeUndefined()
})

test('a picture that comes again is neither pulled nor encoded again, in another request and in part', async () => {
  let pieces = 0
  const onOperation = ({ kind, subject }: Operation): Fate => {
    if (kind === 'request' && subject === subjects.instanceOp('g1', 'transfer')) pieces++
    return 'ok'
  }
  const cluster = await start({ instances: 2, labels: { i1: 'encode', i2: 'prefill+decode' }, onOperation })
  const first = two()
  await ask(cluster, first)
  expect(cluster.engines[0]!.encoded).toBe(8)
  const before = pieces
  expect(before).toBeGreaterThan(0)
  const again = await ask(cluster, first)
  expect(pieces).toBe(before)
  expect(again.shown.map((t) => t.token)).toEqual(expected(first))
  const other = submission({ prompt: first.prompt, pictures: [first.pictures[0]!, picture('a boat', 14, 3)] })
  const mixed = await ask(cluster, other)
  expect(mixed.shown.map((t) => t.token)).toEqual(expected(other))
  expect(encodes(cluster).map(({ cached }) => cached)).toEqual([0, 8, 5])
  expect(cluster.engines[0]!.encoded).toBe(8 + 3)
  await expectClean(cluster)
})

test('two requests that come at once with the same picture share its encoding', async () => {
  const cluster = await start({ instances: 2, labels: { i1: 'encode', i2: 'prefill+decode' } })
  const request = two()
  const results = await Promise.all([ask(cluster, request), ask(cluster, request), ask(cluster, request)])
  for (const { shown } of results) expect(shown.map((t) => t.token)).toEqual(expected(request))
  expect(cluster.engines[0]!.encoded).toBe(8)
  await expectClean(cluster)
})

for (const [who, victim] of [['leads', 'i1'], ['helps', 'i2']] as const) {
  test(`the encode instance that ${who} dies while it encodes: the vectors are made again elsewhere`, async () => {
    const cluster = await start({ instances: 4, labels: { i1: 'encode', i2: 'encode', i3: 'prefill', i4: 'decode' } })
    const request = two()
    const answer = ask(cluster, request)
    const engine = cluster.engines[victim === 'i1' ? 0 : 1]!
    expect(await cluster.clock.runUntil(() => engine.encoded >= 2, 10_000)).toBe(true)
    cluster.kill(victim)
    const { shown, error } = await answer
    expect(error).toBeUndefined()
    expect(shown.map((t) => t.token)).toEqual(expected(request))
    expect(encodes(cluster).length).toBeGreaterThan(1)
    await expectClean(cluster, 40_000)
  })
}

test('an encode instance that stands still is left out after a moment, and keeps nothing when it wakes', async () => {
  const cluster = await start({ instances: 4, labels: { i1: 'encode', i2: 'encode', i3: 'prefill', i4: 'decode' } })
  cluster.processes.get('i2')!.clock.pause(2_500)
  const request = two()
  const { shown, error } = await ask(cluster, request)
  expect(error).toBeUndefined()
  expect(shown.map((t) => t.token)).toEqual(expected(request))
  expect(encodes(cluster)[0]!.parts.map(({ instance }) => instance)).toEqual(['i1', 'i1'])
  await expectClean(cluster, 3_000)
})

test('cancelled while its tiles are encoded: the encoders stop, nothing is left', async () => {
  const cluster = await start({ instances: 4, labels: { i1: 'encode', i2: 'encode', i3: 'prefill', i4: 'decode' } })
  let result: Result | undefined
  void cluster.front.submit(two(), new AbortController().signal).then(async (open) => {
    cluster.clock.setTimer(50, () => open.cancel())
    result = await readAll(open.tokens)
  })
  expect(await cluster.clock.runUntil(() => result !== undefined, 10_000)).toBe(true)
  expect(result!.error?.code).toBe('cancelled')
  await expectClean(cluster)
  expect(cluster.engines.map((e) => e.encoded).reduce((a, b) => a + b)).toBeLessThan(8)
})

test('the gateway dies with the picture: its request ends, encoders are not hammered', async () => {
  const cluster = await start({ instances: 3, labels: { i1: 'encode', i2: 'prefill', i3: 'decode' } })
  let admitted = false
  void cluster.front.submit(two(), new AbortController().signal).then(() => (admitted = true))
  expect(await cluster.clock.runUntil(() => admitted, 1_000)).toBe(true)
  cluster.kill('g1')
  const state = () => [...(cluster.server.buckets.get('volley_requests') ?? [])].map(([, { value }]) => (JSON.parse(new TextDecoder().decode(value)) as { state: string }).state)[0]
  expect(await cluster.clock.runUntil(() => state() === 'cancelled', 60_000)).toBe(true)
  expect(encodes(cluster).length).toBeLessThan(5)
  await expectClean(cluster, 40_000)
})

test('a picture that cannot be decoded ends its request with the reason, after some tries', async () => {
  const cluster = await start({ instances: 3, labels: { i1: 'encode', i2: 'prefill', i3: 'decode' } })
  const damaged = submission({ prompt: [1, 2, 3, 4], pictures: [picture('x', 1, 1, { file: Uint8Array.of(0, 1) })] })
  const { error } = await ask(cluster, { ...damaged, timeoutMs: 600_000 }, 200_000)
  expect(error?.code).toBe('kv_lost')
  expect(error?.message).toContain('vectors were lost 32 times')
  await expectClean(cluster)
})

test('an instance that does not see does not encode; where nobody sees, the request is refused', async () => {
  const cluster = await start({ instances: 3, blind: ['i1', 'i3'] })
  const request = two()
  expect((await ask(cluster, request)).shown.map((t) => t.token)).toEqual(expected(request))
  expect(cluster.instances.map((i) => i.stats().phases.includes('encode'))).toEqual([false, true, false])
  await expectClean(cluster)
  const none = await start({ instances: 2, blind: ['i1', 'i2'] })
  expect((await ask(none, request)).error?.code).toBe('no_instance')
  expect((await ask(none, submission())).error).toBeUndefined()
})

test('every answer is the same while labels flip under load and pictures come again', async () => {
  const cluster = await start({ instances: 4 })
  const hand = cluster.process('hand')
  const hands = new Cluster()
  void hands.start(hand.bus)
  const labels: Label[] = ['encode', 'prefill', 'decode', 'encode+prefill', 'encode+decode', 'prefill+decode']
  const results: (Result | undefined)[] = Array.from({ length: 40 }, () => undefined)
  let flips = 0
  const again = () => {
    // One instance stays as it is, so that every phase has somebody.
    const ask = { instance: `i${(flips % 3) + 1}`, label: labels[(flips * 5) % labels.length]!, by: 'operator', reason: 'test', force: true }
    const rules = { dwellMs: 0, cooldownMs: 0 }
    void flip(hand.bus, hand.clock, ask, hands.flipView(), rules, 'hand').then(({ status }) => (flips += status === 'applied' ? 1 : 0))
    if (results.some((r) => r === undefined)) hand.clock.setTimer(60, again)
  }
  again()
  const requests = results.map((_, i) =>
    submission({
      prompt: Array.from({ length: 12 }, (_, k) => 3 + ((i + k) % 90)),
      pictures: i % 3 === 0 ? [] : [picture(`picture ${i % 7}`, 1 + (i % 3), 4)],
      sampling: { ...submission().sampling, seed: i, maxTokens: 8 },
    }))
  for (const [i, request] of requests.entries()) {
    cluster.clock.setTimer(i * 25, () => {
      void cluster.front.submit(request, new AbortController().signal).then(async (open) => (results[i] = await readAll(open.tokens)))
    })
  }
  expect(await cluster.clock.runUntil(() => results.every((r) => r !== undefined), 300_000)).toBe(true)
  expect(flips).toBeGreaterThan(10)
  for (const [i, request] of requests.entries()) {
    expect(results[i]!.error).toBeUndefined()
    expect(results[i]!.shown.map((t) => t.token)).toEqual(expected(request))
  }
  await expectClean(cluster)
})

test('prompts that wait for vectors leave their slots to others', async () => {
  const cluster = await start({ instances: 3, labels: { i1: 'encode', i2: 'prefill', i3: 'decode' } })
  const slow = Array.from({ length: 6 }, (_, i) => ask(cluster, submission({ prompt: two().prompt, pictures: [picture(`big ${i}`, 2, 8)] })))
  // 48 tiles take 960 ms; all six prompts are at prefill long before.
  expect(await cluster.clock.runUntil(() => cluster.instances[1]!.host.jobs.size >= 4, 700)).toBe(true)
  const before = cluster.clock.monotonic()
  expect((await ask(cluster, submission({ prompt: [7, 8, 9] }))).error).toBeUndefined()
  expect(cluster.clock.monotonic() - before).toBeLessThan(200)
  expect(cluster.engines[0]!.encoded).toBeLessThan(40)
  for (const { error } of await Promise.all(slow)) expect(error).toBeUndefined()
  await expectClean(cluster)
})

test('whoever looks at a request sees its pictures, and no secret of a ticket', async () => {
  const cluster = await start({ instances: 2, labels: { i1: 'encode', i2: 'prefill+decode' } })
  let seen = ''
  void cluster.front.submit(two(), new AbortController().signal).then(async ({ id, tokens }) => {
    await readAll(tokens)
    seen = JSON.stringify((await cluster.front.request(id))!.context)
  })
  expect(await cluster.clock.runUntil(() => seen !== '', 10_000)).toBe(true)
  expect(seen).toContain('"offer":')
  expect(seen).not.toContain('secret')
})
