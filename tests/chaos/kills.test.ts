import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually, noSystem, startSystem, type System } from '../helpers/system.ts'
import type { Question } from '../helpers/system-http.ts'
import { claimsOf, killInPrefill, killInTransfer, killNatsServer, strikeInDecode, type Survivor } from '../helpers/system-kill.ts'
import { NOTHING_LEFT } from '../helpers/system-watch.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)

/** Beginning differs, so that no part of it is in a cache. */
const long = (n: number): Question => ({
  path: 'completions', max_tokens: 60, temperature: 0.9, seed: n, n: 2, stream: true, return_token_ids: true,
  prompt: `${n}. ${Array.from({ length: 40 }, (_, i) => `On day ${i} fox ${n} met ${i + n} birds.`).join(' ')}`,
})
const longAnswer: Question = {
  path: 'completions', prompt: 'Once upon a time', max_tokens: 400, temperature: 0.8, seed: 3, n: 2, ignore_eos: true,
  stream: true, return_token_ids: true,
}

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
    if (process.env['DBG']) console.log(survivor.tries, JSON.stringify(request.history.map((e, i, h) => [e.state, e['epoch'], e['attempt'], e['instance'], i ? e.atMs - h[i-1]!.atMs : 0, e['detail']])))
    const t0 = Date.now()
    const { watch, http, processes } = system
    await eventually(() => watch.instances().length === 3 && processes().filter(({ command }) => / instance /.test(command)).length === 3, 20_000)
    expect(reply.text).toBe((await http.ask(question)).text)
    await eventually(async () => {
      const left = JSON.stringify(await watch.leftovers())
      return left === JSON.stringify(NOTHING_LEFT) || new Error(left)
    }, 40_000)
    if (process.env['DBG']) console.log('clean after', Date.now() - t0)
  }

  it('the one that prefills it', async () => {
    const survivor = await killInPrefill(system, long)
    await isUnharmed(survivor, long(survivor.tries - 1))
  }, 120_000)

  it('the one that receives its KV', async () => {
    const survivor = await killInTransfer(system, (n) => long(n + 20))
    await isUnharmed(survivor, long(survivor.tries + 19))
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
})
