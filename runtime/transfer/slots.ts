/**
 * A bounded number of things at a time, first come first served.
 * @module
 */

export class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Resolves with the function that gives the slot back; rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free === 0) await this.#turn(signal)
    else this.#free--
    let given = false
    return () => {
      if (given) return
      given = true
      const [next] = this.#waiting
      if (next) next()
      else this.#free++
    }
  }

  /** A slot goes from hand to hand without being free in between. */
  #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (): void => {
      this.#waiting.delete(go)
      signal.removeEventListener('abort', onAbort)
    }
    const go = (): void => {
      leave()
      resolve()
    }
    const onAbort = (): void => {
      leave()
      reject(signal.reason)
    }
    this.#waiting.add(go)
    signal.addEventListener('abort', onAbort, { once: true })
    return promise
  }
}
