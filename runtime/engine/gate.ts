/**
 * Lets so many tasks run at once and makes the others wait in order. Knows nothing of what they do.
 * @module
 */
import { VolleyError } from '../errors.ts'

export class Gate {
  #free: number
  /** Those who wait, first come first; a Set, so that one who gives up is taken out at once. */
  readonly #waiting = new Set<() => void>()

  constructor(places: number) {
    this.#free = places
  }

  /** Error besides the task's: `cancelled` when `signal` aborts before it has begun. */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (signal.aborted) throw given()
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    try {
      return await task()
    } finally {
      const next = this.#waiting.values().next().value
      if (next === undefined) this.#free++
      else next()
    }
  }

  /** Resolves when a place was handed over. */
  #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const enter = () => {
      leave()
      resolve()
    }
    const abort = () => {
      leave()
      reject(given())
    }
    const leave = () => {
      this.#waiting.delete(enter)
      signal.removeEventListener('abort', abort)
    }
    this.#waiting.add(enter)
    signal.addEventListener('abort', abort, { once: true })
    return promise
  }
}

const given = () => new VolleyError('cancelled', 'It was given up: its request was cancelled')
