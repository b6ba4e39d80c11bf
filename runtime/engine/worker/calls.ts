/**
 * Calls that wait for their answer from the engine's thread.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { TokenOut } from '../engine.ts'
import { fromErrorData, type Report } from './protocol.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: VolleyError): void
  onTokens?: (tokens: TokenOut[]) => void
}

export class Calls {
  readonly #waiting = new Map<number, Waiting>()

  /** Calls that wait. */
  get open(): number {
    return this.#waiting.size
  }

  /** Opens a call; the promise settles with its answer. */
  add<T>(id: number, onTokens?: (tokens: TokenOut[]) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { resolve, reject, ...(onTokens && { onTokens }) })
    return promise as Promise<T>
  }

  /** Takes one report; one of a call that was settled here already is late and dropped. */
  take(report: Report): void {
    const waiting = this.#waiting.get(report.call)
    if (!waiting) return
    if (report.kind === 'tokens') return waiting.onTokens?.(report.tokens)
    this.#waiting.delete(report.call)
    if (report.kind === 'answer') waiting.resolve(report.value)
    else waiting.reject(fromErrorData(report.error))
  }

  /** Nothing will be answered any more. */
  rejectAll(error: VolleyError): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
