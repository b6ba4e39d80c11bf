/**
 * What a number format of weights is. Knows none of them.
 * @module
 */

/** One format: `blockElements` numbers lie in `blockBytes` bytes. */
export interface NumberFormat {
  readonly blockElements: number
  readonly blockBytes: number
  /** Decodes `blocks` blocks at the start of `view` into `out`, from index `at` on. */
  decode(view: DataView, blocks: number, out: Float32Array, at: number): void
}
