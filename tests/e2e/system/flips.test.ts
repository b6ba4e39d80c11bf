import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noSystem, nothingIsLeft, SOON_MS, startSystem, type System } from '../../helpers/system.ts'
import type { Question, Reply } from '../../helpers/system-http.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)
const REQUESTS = 48
const FLIPS = 20
/** A busy machine flips slowly: the requests are asked again until there were enough flips, but not for ever. */
const MOST_ROUNDS = 8
const ABOUT = ['a fox', 'the sea', 'a bird', 'the night', 'a wood', 'rain']

/** Greedy and drawn, one choice and two, short and long: by number. */
const question = (i: number): Question => ({
  path: 'completions',
  prompt: `Story ${i}: once upon a time there was ${ABOUT[i % ABOUT.length]}`,
  max_tokens: 30 + (i % 5) * 12,
  temperature: i % 3 === 0 ? 0 : 0.9,
  seed: i,
  n: i % 4 === 3 ? 2 : 1,
  ignore_eos: true,
  stream: i % 2 === 0,
  return_token_ids: true,
})
const all = Array.from({ length: REQUESTS }, (_, i) => i)

async function askAll({ http }: System, atOnce: number): Promise<Reply[]> {
  const waiting = [...all]
  const replies: Reply[] = []
  const work = async () => {
    for (let i = waiting.shift(); i !== undefined; i = waiting.shift()) replies[i] = await http.ask(question(i))
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return replies
}

describe.skipIf(noSystem !== undefined)('labels flip while requests stream, over real processes', () => {
  let expected: string[]
  let system: System
  beforeAll(async () => {
    const one = await startSystem({ instances: 1 })
    try {
      expected = (await askAll(one, 8)).map(({ status, text }) => `${status} ${text}`)
    } finally {
      await one.close()
    }
    system = await startSystem({ labels: 'prefill=2,decode=2', policy: 'static', flags: ['--flips', 'dwell=0'] })
  }, 120_000)
  afterAll(() => system?.close())

  it(`every answer of ${REQUESTS} is the unsplit system's, with at least ${FLIPS} flips under them`, async () => {
    const { client } = system.watch
    const ids = (await client.instances()).map(({ id }) => id)
    const labels = new Map<string, 'prefill' | 'decode'>(ids.map((id, i) => [id, i < 2 ? 'prefill' : 'decode']))
    // In this order somebody is always left for each phase.
    const order = [0, 2, 1, 3].map((i) => ids[i]!)
    let running = true
    let flips = 0
    const flipping = (async () => {
      for (let i = 0; running; i++) {
        const id = order[i % order.length]!
        const label = labels.get(id) === 'prefill' ? 'decode' : 'prefill'
        expect(await client.flip(id, label, { reason: 'test' })).toMatchObject({ status: 'applied' })
        labels.set(id, label)
        // What flips after the last answer proves nothing.
        if (running) flips++
        await new Promise((resolve) => setTimeout(resolve, 40))
      }
    })()
    let replies: Reply[] = []
    try {
      for (let round = 0; round < MOST_ROUNDS && flips < FLIPS; round++) {
        replies = await askAll(system, 12)
        expect(replies.map(({ status, text }) => `${status} ${text}`)).toEqual(expected)
      }
    } finally {
      running = false
      await flipping
    }
    expect(flips).toBeGreaterThanOrEqual(FLIPS)
    await nothingIsLeft(system, SOON_MS)

    const lines = (...args: string[]): Record<string, unknown>[] => {
      const { code, stdout, stderr } = system.volley(...args, '--nats', system.nats, '--json')
      expect(code, stderr).toBe(0)
      return stdout.trim().split('\n').map((line) => JSON.parse(line))
    }
    const pools = lines('pools')
    expect(pools.reduce((sum, { flips: each }) => sum + (each as number), 0)).toBeGreaterThanOrEqual(flips)
    expect(pools.map(({ by, reason }) => `${by}: ${reason}`)).toEqual(ids.map(() => 'operator: test'))
    for (const { accuracy } of pools) expect(Object.keys(accuracy as object).length).toBeGreaterThan(0)
    const decisions = lines('explain', replies[0]!.id)
    for (const { predictedMs, actualMs, error } of decisions) {
      expect([typeof predictedMs, typeof actualMs, typeof error]).toEqual(['number', 'number', 'number'])
    }

    // By the command line: nobody may be left without an instance, unless forced; and another policy.
    const [first, ...others] = ids as [string, ...string[]]
    lines('flip', first, 'prefill', '--reason', 'the last one', '--force')
    for (const id of others) lines('flip', id, 'decode')
    const refused = system.volley('flip', first, 'decode', '--nats', system.nats)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('nobody would be left for prefill')])
    expect(lines('policy', 'least-load', '--reason', 'test')).toMatchObject([
      { wish: { policy: 'least-load', reason: 'test' }, schedulers: [{ policy: 'least-load', ownPolicy: 'static' }] },
    ])
    expect(`200 ${(await system.http.ask(question(0))).text}`).toBe(expected[0])
  }, 300_000)
})
