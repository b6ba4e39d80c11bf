/**
 * Live numbers of a loop: what it counted since start and how long its recent steps took.
 * @module
 */

/** Steps a mean goes over. */
const RECENT = 32
/** Steps with fewer prompt tokens than this say more about the step than about its tokens. */
const TELLING_TOKENS = 32

export class Meter {
  prefixHitTokens = 0
  prefillTokens = 0
  decodeTokens = 0
  /** Milliseconds of recent steps with decodes in them. */
  readonly #steps: number[] = []
  /** Smoothed milliseconds that one prompt token adds to a step; 0 = not known yet. */
  #tokenMs = 0

  /** Mean of recent steps with decodes in them; 0 = none yet. */
  get stepMs(): number {
    if (this.#steps.length === 0) return 0
    return this.#steps.reduce((sum, ms) => sum + ms, 0) / this.#steps.length
  }

  /** Counts a step that took `ms`, with so many prompt tokens and decode rows. */
  step(ms: number, promptTokens: number, decodeRows: number): void {
    this.prefillTokens += promptTokens
    if (decodeRows > 0 && this.#steps.push(ms) > RECENT) this.#steps.shift()
    if (promptTokens < TELLING_TOKENS || decodeRows > 0) return
    const tokenMs = ms / promptTokens
    this.#tokenMs = this.#tokenMs === 0 ? tokenMs : this.#tokenMs * 0.8 + tokenMs * 0.2
  }

  /** Prompt tokens that take about `ms`; `undefined` = not known yet. */
  tokensIn(ms: number): number | undefined {
    return this.#tokenMs === 0 ? undefined : Math.floor(ms / this.#tokenMs)
  }
}
