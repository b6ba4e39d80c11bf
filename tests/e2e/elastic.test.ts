/** Labels that move while requests run: on the production hosts, in memory, on a virtual clock. */
import { expect, test } from 'vitest'
import { subjects } from '../../runtime/bus/subjects.ts'
import type { VolleyError } from '../../runtime/errors.ts'
import { flip, type FlipOutcome, FLIPS_KEY } from '../../runtime/pool/labels.ts'
import { type ActualEntry, type LedgerEntry, withActuals } from '../../runtime/pool/ledger.ts'
import { Cluster } from '../../runtime/pool/view.ts'
import { wishPolicy } from '../../runtime/pool/wish.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import { MemoryCluster, readAll, submission } from '../helpers/memory-cluster.ts'
import { scriptedToken } from '../helpers/script-engine.ts'

const NO_RULES = { dwellMs: 0, cooldownMs: 0 }
const view = (seen: number, ...ids: string[]) => ({ members: ids.map((id) => ({ id, model: 'script', draining: false, value: undefined })), seen })

test('two schedulers that saw the same cluster cannot both flip', async () => {
  const cluster = new MemoryCluster()
  await cluster.start()
  const [a, b] = [cluster.process('a'), cluster.process('b')]
  const ask = (instance: string) => ({ instance, label: 'decode' as const, by: 'policy test', reason: 'test' })
  let made: FlipOutcome[] | undefined
  const seen = view(0, 'i1', 'i2')
  void Promise.all([flip(a.bus, a.clock, ask('i1'), seen, NO_RULES, 'a'), flip(b.bus, b.clock, ask('i2'), seen, NO_RULES, 'b')]).then((r) => (made = r))
  expect(await cluster.clock.runUntil(() => made !== undefined, 5_000)).toBe(true)
  expect(made!.map(({ status }) => status).sort()).toEqual(['applied', 'outrun'])
  expect([...cluster.server.buckets.get('volley_labels')!.keys()].filter((key) => key !== FLIPS_KEY)).toHaveLength(1)
})

/** Tokens that every answer below must have. */
const expected = (i: number) => Array.from({ length: 8 }, (_, index) => scriptedToken([i, 6, 7], i, 0, index))

/** Requests that arrive one after the other; their results as they end. */
function load(cluster: MemoryCluster, requests: number, everyMs: number) {
  const results: (Awaited<ReturnType<typeof readAll>> | undefined)[] = Array.from({ length: requests }, () => undefined)
  for (let i = 0; i < requests; i++) {
    const base = submission()
    cluster.clock.setTimer(i * everyMs, () => {
      const request = submission({ prompt: [i, 6, 7], sampling: { ...base.sampling, seed: i, maxTokens: 8 } })
      void cluster.front.submit(request, new AbortController().signal).then(async (open) => (results[i] = await readAll(open.tokens)))
    })
  }
  return results
}

test('another policy while requests run: every scheduler takes it, and every answer is the same', async () => {
  const cluster = new MemoryCluster({ instances: 3, policyName: 'round-robin', shadow: 'least-load' })
  await cluster.start()
  const { bus, clock } = cluster.process('operator')
  const results = load(cluster, 40, 25)
  const wanted = ['arrow-v2', 'no-such-policy', 'static', null]
  wanted.forEach((policy, at) => clock.setTimer(200 + at * 250, () => void wishPolicy(bus, clock, policy, 'test')))
  const seen = new Set<string>()
  const note = () => {
    seen.add(cluster.schedulers.map((s) => `${s.card().policy}${s.card().problem && '!'}`).join())
    if (results.some((r) => r === undefined)) clock.setTimer(10, note)
  }
  note()
  expect(await cluster.clock.runUntil(() => results.every((r) => r !== undefined), 300_000)).toBe(true)
  for (const [i, result] of results.entries()) {
    expect(result!.error).toBeUndefined()
    expect(result!.shown.map((t) => t.token)).toEqual(expected(i))
  }
  await cluster.clock.advance(1_000)
  for (const each of ['round-robin,round-robin', 'arrow-v2,arrow-v2', 'arrow-v2!,arrow-v2!', 'static,static']) expect([...seen]).toContain(each)
  expect(cluster.schedulers.map((s) => s.card().policy)).toEqual(['round-robin', 'round-robin'])
  const policies = new Set(decisionsOf(cluster).filter(({ phase }) => phase !== 'admit').map((entry) => entry.policy))
  expect([...policies].sort()).toEqual(['arrow-v2', 'round-robin', 'static'])
  expect(cluster.errors.map((e) => (e as VolleyError).code)).toEqual(['policy_invalid', 'policy_invalid'])
  // The shadow began anew with the policy that it is compared with now.
  const { shadow } = cluster.schedulers[0]!.card()
  expect([shadow!.policy, shadow!.against]).toEqual(['least-load', 'round-robin'])
})

test('every answer is the same while labels flip under load', async () => {
  const cluster = new MemoryCluster({ instances: 3, policy: policyOf('arrow-v2') })
  await cluster.start()
  const hand = cluster.process('hand')
  const hands = new Cluster()
  void hands.start(hand.bus)
  const results = load(cluster, 40, 25)
  let flips = 0
  // Somebody flips without mercy: every 40 ms another instance, to and fro.
  const again = () => {
    const label = flips % 2 === 0 ? 'prefill' : 'decode'
    const ask = { instance: `i${(flips % 3) + 1}`, label, by: 'operator', reason: 'test', force: true } as const
    void flip(hand.bus, hand.clock, ask, hands.flipView(), NO_RULES, 'hand').then(({ status }) => (flips += status === 'applied' ? 1 : 0))
    if (results.some((r) => r === undefined)) hand.clock.setTimer(40, again)
  }
  again()
  expect(await cluster.clock.runUntil(() => results.every((r) => r !== undefined), 300_000)).toBe(true)
  expect(cluster.errors).toEqual([])
  expect(flips).toBeGreaterThan(20)
  for (const [i, result] of results.entries()) {
    expect(result!.error).toBeUndefined()
    expect(result!.shown.map((t) => t.token)).toEqual(expected(i))
  }
  await cluster.clock.advance(1_000)
  expect(cluster.instances.map((instance) => [instance.holds.size, instance.host.jobs.size])).toEqual([[0, 0], [0, 0], [0, 0]])
})

const decisionsOf = (cluster: MemoryCluster): LedgerEntry[] => {
  const prefix = subjects.allDecisions.slice(0, -1)
  const stored = cluster.server.events.filter((e) => e.subject.startsWith(prefix))
  return withActuals(stored.map((e) => JSON.parse(new TextDecoder().decode(e.data)) as LedgerEntry | ActualEntry))
}

test('the ledger tells each decision with candidates, scores, prediction, outcome, and later the actual', async () => {
  const cluster = new MemoryCluster({ policyName: 'least-load', shadow: 'round-robin' })
  await cluster.start()
  const [result] = [load(cluster, 1, 0)]
  await cluster.clock.runUntil(() => result[0] !== undefined, 60_000)
  await cluster.clock.advance(2_000)
  const entries = decisionsOf(cluster)
  expect(entries.map((e) => [e.phase, e.policy, e.outcome])).toEqual([
    ['admit', 'gateway', 'accepted'], ['prefill', 'least-load', 'accepted'], ['transfer', 'least-load', 'accepted'], ['decode', 'least-load', 'accepted'],
  ])
  const admitted = entries.shift()!
  // The way to an instance and back is in what came of it.
  expect([admitted.predictedMs, admitted.actualMs! > entries[0]!.actualMs!]).toEqual([3, true])
  expect(Object.keys(entries[0]!.scores).sort()).toEqual(['i1', 'i2'])
  for (const { predictedMs, actualMs } of entries) {
    expect(predictedMs).toBeGreaterThanOrEqual(0)
    expect(actualMs).toBeGreaterThan(0)
  }
  // Unmeasured, a prompt of three tokens is expected to take 3 ms; the scripted engine takes 10.
  expect([entries[0]!.predictedMs, Math.round(entries[0]!.actualMs!)]).toEqual([3, 10])
  const kept = [...cluster.server.buckets.get('volley_predictions')!.keys()]
  expect(kept).toContain(entries[0]!.instance)
  expect(entries[0]!.shadow).toMatchObject({ policy: 'round-robin', predictedMs: 3 })
  const tallies = cluster.schedulers.map((s) => s.card().shadow!.tallies['prefill']?.decisions ?? 0)
  expect(tallies.reduce((sum, n) => sum + n, 0)).toBe(1)
})
