/**
 * Vectors that prefills on the engine's thread wait for, and that come as messages of their own. It knows calls and
 * places; nothing of what is computed with them.
 * @module
 */
import type { PrefillJob } from '../engine.ts'
import { handled } from '../handled.ts'
import { type Call, fromErrorData, type PrefillOrder } from './protocol.ts'

export class Gifts {
  readonly #awaited = new Map<number, PromiseWithResolvers<Float32Array>[]>()

  /** The job with a promise at every mark. */
  expect(call: number, { given, ...job }: PrefillOrder): PrefillJob {
    if (!given) return job
    const places = given.map(() => Promise.withResolvers<Float32Array>())
    this.#awaited.set(call, places)
    return { ...job, given: given.map((mark, i) => ({ ...mark, vectors: handled(places[i]!.promise) })) }
  }

  /** One of a call that is through is dropped. */
  give({ call, place, vectors }: Call & { kind: 'give' }): void {
    this.#awaited.get(call)?.[place]?.resolve(vectors)
  }

  withhold({ call, place, error }: Call & { kind: 'withhold' }): void {
    this.#awaited.get(call)?.[place]?.reject(fromErrorData(error))
  }

  /** The call is through. */
  delete(call: number): void {
    this.#awaited.delete(call)
  }
}
