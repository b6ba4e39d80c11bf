import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../helpers/random.ts'
import { eventually, noSystem, nothingIsLeft, startSystem, type System } from '../helpers/system.ts'
import { askAll, questions, spanningText, texts } from '../helpers/system-table.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)
const DEATHS = 8
const MORTALS = ['instance', 'scheduler', 'instance', 'nats-server'] as const

describe.skipIf(noSystem !== undefined)('every answer is the same', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ instances: 3, policy: 'round-robin', transfer: 'tcp' })
  }, 120_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
  })
  afterAll(() => system?.close())

  it('whoever dies meanwhile', async () => {
    const { http, watch } = system
    const table = questions(await spanningText(http))
    const expected = texts(await askAll(http, table, 4))
    const random = seededRandom(3)
    let rounds = 0
    let dying = true
    const asking = (async () => {
      while (dying) {
        expect(texts(await askAll(http, table, 6)), `round ${rounds}`).toEqual(expected)
        rounds++
      }
    })()
    const killing = (async () => {
      for (let death = 0; death < DEATHS; death++) {
        await new Promise((resolve) => setTimeout(resolve, 1_500 + random.below(2_500)))
        const victim = MORTALS[death % MORTALS.length]!
        const pids = [...new Set(watch.instances().map(({ pid }) => pid))]
        process.kill(victim === 'instance' ? random.pick(pids) : system.pidOf(victim), 'SIGKILL')
        // One at a time: with nobody left there would be nobody to answer.
        await eventually(() => new Set(watch.instances().map(({ pid }) => pid)).size === 3, 20_000)
      }
    })().finally(() => (dying = false))
    await Promise.all([asking, killing])
    const requests = await watch.client.requests()
    expect(requests.filter(({ state }) => state !== 'done')).toEqual([])
    // At least some had to begin a phase anew.
    expect(requests.filter(({ attempt }) => attempt > 3).length).toBeGreaterThan(0)
    await nothingIsLeft(system)
  }, 200_000)
})
