/**
 * One decode: the choices of a request, running until each has finished, was stopped, or all were cancelled.
 * @module
 */
import { toVolleyError, VolleyError } from '../../errors.ts'
import type { KvCache } from '../../kv/cache.ts'
import type { DecodeJob, DecodeRun, TokenOut } from '../engine.ts'
import { handled } from '../handled.ts'
import { Choice } from './choice.ts'
import type { Hold } from './holds.ts'

export interface RunOptions {
  cache: KvCache
  hold: Hold
  contextLength: number
  remember: boolean
  onTokens(tokens: TokenOut[]): void
}

export class Run implements DecodeRun {
  readonly done: Promise<void>
  readonly choices: readonly Choice[]
  readonly #onTokens: (tokens: TokenOut[]) => void
  #settled = Promise.withResolvers<void>()
  #fresh: TokenOut[] = []
  #running: number

  /** Reserves room for every choice. Error: `kv_exhausted`; then none is kept. */
  constructor(job: DecodeJob, options: RunOptions) {
    this.#onTokens = options.onTokens
    this.done = handled(this.#settled.promise)
    this.#running = job.choices.length
    const choices: Choice[] = []
    try {
      for (const { choice, generated } of job.choices) {
        const { cache, hold, contextLength, remember } = options
        const { sampling } = job
        const onToken = (token: TokenOut) => this.#fresh.push(token)
        const onEnd = () => this.#ended()
        const onFail = (error: unknown) => this.fail(error)
        const own = { choice, generated, onToken, onEnd, onFail }
        choices.push(new Choice({ cache, hold, sampling, contextLength, remember, ...own }))
      }
    } catch (error) {
      for (const choice of choices) choice.stop()
      throw error
    }
    this.choices = choices
    for (const choice of choices) if (choice.complete) choice.stop()
  }

  stop(choice: number): void {
    for (const each of this.choices) if (each.choice === choice) each.stop()
  }

  /** Ends all choices because nobody wants them any more. */
  cancel(): void {
    this.fail(new VolleyError('cancelled', 'The decode was cancelled'))
  }

  /** Ends all choices; `done` rejects. */
  fail(error: unknown): void {
    this.#settled.reject(toVolleyError(error))
    for (const choice of this.choices) choice.stop()
  }

  /** Hands on the tokens of the step that is through. A listener that throws ends its own run only. */
  flush(): void {
    if (this.#fresh.length === 0) return
    const tokens = this.#fresh
    this.#fresh = []
    try {
      this.#onTokens(tokens)
    } catch (error) {
      this.fail(error)
    }
  }

  #ended(): void {
    if (--this.#running === 0) this.#settled.resolve()
  }
}
