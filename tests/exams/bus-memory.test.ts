import { MemoryServer } from '../../runtime/bus/memory-server.ts'
import { memoryBus } from '../../runtime/bus/memory.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { busExam } from './bus.ts'

busExam('memoryBus()', () => {
  const clock = new VirtualClock()
  const server = new MemoryServer(clock)
  /** The clock stops at its last timer: so there is one at the end. */
  const pass = (ms: number): Promise<void> => {
    clock.setTimer(ms, () => undefined)
    return clock.advance(ms)
  }
  return Promise.resolve({
    connect: (name) => Promise.resolve(memoryBus(server, { name })),
    pass,
    now: () => clock.now(),
    async crash(awayMs) {
      server.restart(awayMs)
      await pass(awayMs + 1)
    },
    close: () => Promise.resolve(),
  })
})
