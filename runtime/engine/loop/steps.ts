/**
 * The loop of steps: continuous batching over one Forward. Each step takes what {@linkcode compose} chose, runs it and
 * hands the logits back to the jobs; the encoder has its turns in between. It knows jobs and time; nothing of holds or of how a job came to be.
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import { toVolleyError, VolleyError } from '../../errors.ts'
import type { KvPool } from '../../kv/pool.ts'
import type { Forward } from '../forward.ts'
import type { Choice } from './choice.ts'
import { compose, type Work } from './compose.ts'
import type { Encodes } from './encodes.ts'
import { Meter } from './meter.ts'
import type { Prefill } from './prefill.ts'
import type { Run } from './run.ts'
import type { Sizes } from './size.ts'

export interface StepsOptions {
  forward: Forward
  pool: KvPool
  sizes: Sizes
  /** Gets a turn after every step, and whenever there is no step. */
  encodes?: Encodes
  /** Called after every step, when its tokens have been handed on, and after every turn of the encoder. */
  onStep(): void
}

/** Share of the chunk that prefill gets beside decodes while its cost is not known yet. */
const FIRST_GUESS = 1 / 4

export class Steps {
  readonly meter = new Meter()
  /** Resolves when the loop has ended after `close()`. */
  readonly ended: Promise<void>
  readonly #options: StepsOptions
  /** Both in order of arrival. */
  #prefills: Prefill[] = []
  #runs: Run[] = []
  #prefillFirst = true
  #closed = false
  #wake: () => void = () => {}

  constructor(options: StepsOptions) {
    this.#options = options
    this.ended = this.#loop()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Prompts that are not through. */
  get prefills(): readonly Prefill[] {
    return this.#prefills.filter((prefill) => !prefill.over)
  }

  /** Choices that decode now: the first to come, as many as the batch takes. */
  get running(): Choice[] {
    const choices = this.#runs.flatMap((run) => run.choices.filter((choice) => !choice.over))
    return choices.slice(0, this.#options.sizes.maxBatch)
  }

  get tilesWaiting(): number {
    return this.#options.encodes?.tilesWaiting ?? 0
  }

  addPrefill(prefill: Prefill): void {
    this.#prefills.push(prefill)
    this.#wake()
  }

  addRun(run: Run): void {
    this.#runs.push(run)
    this.#wake()
  }

  /** A job that could not go on now can. */
  wake(): void {
    this.#wake()
  }

  /** Fails all jobs with `error` and lets the loop end after the step under way. */
  close(error: VolleyError): void {
    this.#closed = true
    this.#failAll(error)
    this.#wake()
  }

  async #loop(): Promise<void> {
    while (!this.#closed) {
      try {
        const work = this.#compose()
        if (work.length > 0) await this.#step(work)
        else if (this.tilesWaiting === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
        await this.#encode()
      } catch (error) {
        this.#failAll(toVolleyError(error))
      }
      this.#prefills = this.#prefills.filter((prefill) => !prefill.over)
      this.#runs = this.#runs.filter((run) => run.choices.some((choice) => !choice.over))
      // Aborts and new jobs arrive as messages: let them in between steps.
      await setImmediate()
    }
  }

  #compose(): Work[] {
    const { forward, sizes } = this.#options
    const { batchInvariant, replayInvariant = batchInvariant } = forward
    const choices = this.running
    const { prefills } = this
    let budget = sizes.chunkTokens
    if (choices.some((choice) => choice.left === 1)) {
      const affordable = this.meter.tokensIn(sizes.mixedStepMs) ?? Math.floor(budget * FIRST_GUESS)
      budget = Math.min(budget, Math.max(affordable, sizes.shape.blockTokens))
    }
    const work = compose(choices, prefills, { batchInvariant, replayInvariant, budget, prefillFirst: this.#prefillFirst })
    this.#prefillFirst = !this.#prefillFirst
    return work
  }

  /** One turn of the encoder. Beside decodes a call is as long as prefill's share of a step, or one tile's. */
  async #encode(): Promise<void> {
    const { encodes, sizes, onStep } = this.#options
    if (!encodes || this.tilesWaiting === 0) return
    await setImmediate()
    await encodes.turn(this.running.length > 0 ? sizes.mixedStepMs : Infinity)
    onStep()
  }

  async #step(work: Work[]): Promise<void> {
    for (const { job } of work) job.begin()
    const started = performance.now()
    const results = await this.#run(work)
    const stepMs = performance.now() - started
    work.forEach(({ job }, i) => conclude(job, results[i], stepMs))
    for (const { job } of work) job.settle()
    this.#count(work, stepMs)
    for (const run of this.#runs) run.flush()
    this.#options.onStep()
  }

  /**
   * Logits of each chunk, or why there are none. A step that throws is run once more chunk by chunk (which writes the
   * same KV again), so that a job which cannot be computed takes no other down with it.
   */
  async #run(work: Work[]): Promise<(Float32Array | VolleyError)[]> {
    const { forward, pool } = this.#options
    try {
      return await forward.run(work.map(({ chunk }) => chunk), pool)
    } catch (error) {
      if (work.length === 1) return [failed(error)]
      const results: (Float32Array | VolleyError)[] = []
      for (const each of work) results.push(...(await this.#run([each])))
      return results
    }
  }

  #count(work: Work[], stepMs: number): void {
    const prompts = work.filter(({ job }) => job.kind === 'prefill')
    const promptTokens = prompts.reduce((sum, { chunk }) => sum + chunk.tokens.length, 0)
    this.meter.step(stepMs, promptTokens, work.length - prompts.length)
  }

  #failAll(error: VolleyError): void {
    for (const job of [...this.#prefills, ...this.#runs]) job.fail(error)
    this.#options.encodes?.failAll(error)
  }
}

/** Gives a job its logits; what cannot be sampled fails that job only. */
function conclude(job: Work['job'], result: Float32Array | VolleyError | undefined, stepMs: number): void {
  if (job.over) return
  if (!(result instanceof Float32Array)) {
    return job.fail(result ?? new VolleyError('engine_failed', 'The Forward answered fewer chunks than it was given'))
  }
  try {
    job.apply(result, stepMs)
  } catch (error) {
    job.fail(failed(error))
  }
}

/** Whatever a step threw, as `engine_failed`. */
function failed(error: unknown): VolleyError {
  const { message } = toVolleyError(error)
  return new VolleyError('engine_failed', `A step of the engine failed: ${message}`, {
    remedy: 'Send the request again; if it fails again, try another --engine.',
    cause: error,
  })
}
