/**
 * What the loop knows of anything that computes: it offers the next chunk, takes the chunk's logits, and can end at
 * any time, also while a step with its chunk is under way.
 * @module
 */
import type { Chunk } from '../forward.ts'

/**
 * A job's resources may not be freed while a step reads and writes them. So an end that comes in the middle of a step
 * only marks the job; the loop settles it when the step is through.
 */
export abstract class Job {
  abstract readonly kind: 'prefill' | 'decode'
  #busy = false
  #over = false

  /** True once ended: nothing of it may be computed or reported any more. */
  get over(): boolean {
    return this.#over
  }

  /** The next chunk of at most `most` tokens, with its blocks in place; the loop runs it now. `undefined` = not yet. */
  abstract next(most: number): Chunk | undefined
  /** Takes the logits of the chunk that `next` gave, and the step's time. */
  abstract apply(logits: Float32Array, stepMs: number): void
  /** Tells whoever waits that compute failed, and ends. */
  abstract fail(error: unknown): void
  /** Gives everything back. Called once. */
  protected abstract free(): void

  /** Takes part in a step from now on. */
  begin(): void {
    this.#busy = true
  }

  /** The step is through. */
  settle(): void {
    this.#busy = false
    if (this.#over) this.free()
  }

  /** Ends it; answers false if it had ended before. */
  protected end(): boolean {
    if (this.#over) return false
    this.#over = true
    if (!this.#busy) this.free()
    return true
  }
}
