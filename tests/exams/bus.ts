/**
 * The exam of the messaging port: every adapter sits it. It tests what `bus.ts` promises and nothing else; time passes
 * through the world it is given, so that a virtual clock and a real one sit the same questions.
 * @module
 */
import { afterAll, beforeAll, describe } from 'vitest'
import { coreQuestions } from './bus/core.ts'
import { crashQuestions } from './bus/crash.ts'
import { type BusWorld, Exam } from './bus/exam.ts'
import { queueQuestions } from './bus/queue.ts'
import { storeQuestions } from './bus/store.ts'

/**
 * Describes the exam under the adapter's name. `concurrent`: several questions at a time, where time is real and most
 * of it is waiting.
 */
export function busExam(name: string, makeWorld: () => Promise<BusWorld>, { concurrent = false } = {}): void {
  describe(`${name} keeps the promises of the bus port`, () => {
    const exam = new Exam()
    beforeAll(() => exam.start(makeWorld))
    afterAll(() => exam.end())
    describe('while all is well', { concurrent }, () => {
      coreQuestions(exam)
      queueQuestions(exam)
      storeQuestions(exam)
    })
    crashQuestions(exam)
  })
}
