/** Labels that move while requests run: on the production hosts, in memory, on a virtual clock. */
import { expect, test } from 'vitest'
import { subjects } from '../../runtime/bus/subjects.ts'
import { flip, FLIPS_KEY, setLabel } from '../../runtime/pool/labels.ts'
import type { LedgerEntry } from '../../runtime/pool/ledger.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import { MemoryCluster, readAll, submission } from '../helpers/memory-cluster.ts'
import { scriptedToken } from '../helpers/script-engine.ts'

test('two schedulers that saw the same cluster cannot both flip', async () => {
  const cluster = new MemoryCluster()
  await cluster.start()
  const [a, b] = [cluster.process('a'), cluster.process('b')]
  const change = (instance: string) => ({ instance, label: 'decode' as const, reason: 'test' })
  let applied: (number | undefined)[] | undefined
  void Promise.all([flip(a.bus, a.clock, change('i1'), 'a', 0), flip(b.bus, b.clock, change('i2'), 'b', 0)]).then((r) => (applied = r))
  expect(await cluster.clock.runUntil(() => applied !== undefined, 5_000)).toBe(true)
  expect(applied!.filter((revision) => revision !== undefined)).toHaveLength(1)
  expect([...cluster.server.buckets.get('volley_labels')!.keys()].filter((key) => key !== FLIPS_KEY)).toHaveLength(1)
})

test('every answer is the same while labels flip under load', async () => {
  const cluster = new MemoryCluster({ instances: 3, policy: policyOf('arrow-v2') })
  await cluster.start()
  const hand = cluster.process('hand')
  const requests = 40
  const results: (Awaited<ReturnType<typeof readAll>> | undefined)[] = Array.from({ length: requests }, () => undefined)
  let flips = 0
  // Somebody flips without mercy: every 40 ms another instance, to and fro.
  const again = () => {
    const label = flips % 2 === 0 ? 'prefill' : 'decode'
    void setLabel(hand.bus, hand.clock, `i${(flips % 3) + 1}`, { label, by: 'test', reason: 'test' }).then(() => flips++)
    if (results.some((r) => r === undefined)) hand.clock.setTimer(40, again)
  }
  again()
  for (let i = 0; i < requests; i++) {
    const base = submission()
    cluster.clock.setTimer(i * 25, () => {
      const { signal } = new AbortController()
      const request = submission({ prompt: [i, 6, 7], sampling: { ...base.sampling, seed: i, maxTokens: 8 } })
      void cluster.front.submit(request, signal).then(async (open) => (results[i] = await readAll(open.tokens)))
    })
  }
  expect(await cluster.clock.runUntil(() => results.every((r) => r !== undefined), 300_000)).toBe(true)
  expect(cluster.errors).toEqual([])
  expect(flips).toBeGreaterThan(20)
  for (const [i, result] of results.entries()) {
    expect(result!.error).toBeUndefined()
    expect(result!.shown.map((t) => t.token)).toEqual(Array.from({ length: 8 }, (_, index) => scriptedToken([i, 6, 7], i, 0, index)))
  }
  await cluster.clock.advance(1_000)
  expect(cluster.instances.map((instance) => [instance.holds.size, instance.host.jobs.size])).toEqual([[0, 0], [0, 0], [0, 0]])
})

test('the ledger tells each decision with candidates, scores, prediction and outcome', async () => {
  const cluster = new MemoryCluster({ policy: policyOf('least-load') })
  await cluster.start()
  let done = false
  void cluster.front.submit(submission(), new AbortController().signal).then(async (open) => {
    await readAll(open.tokens)
    done = true
  })
  await cluster.clock.runUntil(() => done, 60_000)
  await cluster.clock.advance(10)
  const prefix = subjects.allDecisions.slice(0, -1)
  const entries = cluster.server.events.filter((e) => e.subject.startsWith(prefix)).map((e) => JSON.parse(new TextDecoder().decode(e.data)) as LedgerEntry)
  expect(entries.map((e) => [e.phase, e.policy, e.outcome])).toEqual([
    ['prefill', 'least-load', 'accepted'], ['transfer', 'least-load', 'accepted'], ['decode', 'least-load', 'accepted'],
  ])
  expect(Object.keys(entries[0]!.scores).sort()).toEqual(['i1', 'i2'])
  expect(entries[0]!.predictedMs).toBeGreaterThan(0)
})
