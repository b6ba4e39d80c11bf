import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { noSystem, nothingIsLeft, startSystem, type System } from '../../helpers/system.ts'
import { longAnswer } from '../../helpers/system-http.ts'
import { claimsOf, killNatsServer, strikeInDecode } from '../../helpers/system-kill.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)

describe.skipIf(noSystem !== undefined)('an answer does not change', () => {
  let system: System
  let answer: string
  beforeAll(async () => {
    system = await startSystem({ instances: 2, policy: 'round-robin' })
    answer = (await system.http.ask(longAnswer)).text
  }, 120_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
  })
  afterAll(() => system?.close())

  it('when the instance that decodes it dies', async () => {
    const { reply, request } = await strikeInDecode(system, longAnswer, 40, async ({ instance }) => {
      process.kill(await system.pidOfInstance(instance), 'SIGKILL')
    })
    expect([reply.text, request.state]).toEqual([answer, 'done'])
    const [first, second] = claimsOf(request, 'decode')
    expect([second!.epoch, second!.attempt > first!.attempt]).toEqual([first!.epoch, true])
    await nothingIsLeft(system)
  }, 60_000)

  it('when nats-server dies', async () => {
    const { reply, request } = await strikeInDecode(system, longAnswer, 40, () => killNatsServer(system))
    expect([reply.text, request.state]).toEqual([answer, 'done'])
    await nothingIsLeft(system)
  }, 60_000)
})
