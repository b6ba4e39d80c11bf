import { describe } from 'vitest'
import { natsBus } from '../../runtime/bus/nats.ts'
import { natsServerPath, startNatsServer } from '../helpers/nats-server.ts'
import type { BusWorld } from './bus/exam.ts'
import { busExam } from './bus.ts'

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function makeWorld(): Promise<BusWorld> {
  const server = await startNatsServer()
  return {
    connect: (name) => natsBus({ servers: server.url, name }),
    pass,
    now: () => Date.now(),
    async crash(awayMs) {
      await server.kill()
      await pass(awayMs)
      await server.start()
    },
    close: () => server.close(),
  }
}

if (natsServerPath) busExam('natsBus()', makeWorld, { concurrent: true })
else {
  console.log('no nats-server at or above 2.12 found: the exam of natsBus() is skipped. Set NATS_SERVER to one.')
  describe.skip('natsBus()', () => undefined)
}
