import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually, noSystem, nothingIsLeft, startSystem, type System } from '../helpers/system.ts'
import { longAnswer, type Question } from '../helpers/system-http.ts'
import {
  claimsOf,
  killInPrefill,
  killInTransfer,
  killNatsServer,
  strikeInDecode,
  type Survivor,
} from '../helpers/system-kill.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)

/** Beginning differs, so that no part of it is in a cache. */
const long = (n: number): Question => ({
  path: 'completions',
  max_tokens: 60,
  temperature: 0.9,
  seed: n,
  n: 2,
  stream: true,
  return_token_ids: true,
  prompt: `${n}. ${Array.from({ length: 14 }, (_, i) => `On day ${i} fox ${n} met ${i + n} birds.`).join(' ')}`,
})

describe.skipIf(noSystem !== undefined)('a request outlives', () => {
  let system: System
  let answer: string
  beforeAll(async () => {
    system = await startSystem({ labels: 'prefill=1,decode=2', transfer: 'tcp' })
    answer = (await system.http.ask(longAnswer)).text
  }, 120_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
  })
  afterAll(() => system?.close())

  /** The same question, nothing killed, gives the same answer; nothing is left of either. */
  async function isUnharmed(survivor: Survivor, question: Question): Promise<void> {
    const { reply, request } = survivor
    expect(request.state).toBe('done')
    const { watch, http, processes } = system
    await eventually(
      () =>
        watch.instances().length === 3 && processes().filter(({ command }) => / instance /.test(command)).length === 3,
      20_000,
    )
    expect(reply.text).toBe((await http.ask(question)).text)
    await nothingIsLeft(system)
  }

  it('the one that prefills it', async () => {
    const survivor = await killInPrefill(system, long)
    await isUnharmed(survivor, long(survivor.tries - 1))
  }, 120_000)

  it('the one that receives its KV', async () => {
    const survivor = await killInTransfer(system, (n) => long(n + 20))
    await isUnharmed(survivor, long(survivor.tries + 19))
  }, 120_000)

  it('the one that its KV comes from', async () => {
    const survivor = await killInTransfer(system, (n) => long(n + 60), 'source')
    expect(claimsOf(survivor.request, 'prefill').length).toBeGreaterThan(1)
    await isUnharmed(survivor, long(survivor.tries + 59))
  }, 120_000)

  it('the one that decodes it', async () => {
    const survivor = await strikeInDecode(system, longAnswer, 40, async ({ instance }) => {
      process.kill(await system.pidOfInstance(instance), 'SIGKILL')
    })
    const [first, second] = claimsOf(survivor.request, 'decode')
    expect([second!.epoch, second!.attempt > first!.attempt]).toEqual([first!.epoch, true])
    expect(survivor.reply.text).toBe(answer)
    await isUnharmed(survivor, longAnswer)
  }, 120_000)

  it('the nats-server', async () => {
    const survivor = await strikeInDecode(system, longAnswer, 40, () => killNatsServer(system))
    expect(survivor.reply.text).toBe(answer)
    await isUnharmed(survivor, longAnswer)
  }, 120_000)

  it('the scheduler', async () => {
    const claim = system.watch.nextClaim('prefill')
    const reply = system.http.ask(long(40))
    await claim
    process.kill(system.pidOf('scheduler'), 'SIGKILL')
    const { id, text } = await reply
    await isUnharmed({ reply: { id, text, status: 200 }, request: await system.watch.request(id), tries: 1 }, long(40))
  }, 120_000)

  it('nothing of a request outlives its gateway', async () => {
    const claim = system.watch.nextClaim('decode')
    const abandoned = system.http.ask(longAnswer).then(() => 'answered', () => 'cut off')
    const { id } = await claim
    process.kill(system.pidOf('gateway'), 'SIGKILL')
    expect(await abandoned).toBe('cut off')
    await eventually(async () => (await system.watch.request(id)).state === 'cancelled', 30_000)
    await nothingIsLeft(system)
    await eventually(() => fetch(`${system.url}/ready`).then(({ ok }) => ok, () => false), 20_000)
    expect((await system.http.ask(longAnswer)).text).toBe(answer)
  }, 120_000)
})
