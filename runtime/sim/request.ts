/**
 * A simulated request: where its state-chart stands, how far its tokens are, and what of it is held where.
 * @module
 */
import type { ChartNode } from './chart.ts'
import type { Keyed } from './heap.ts'
import type { SimInstance } from './instance.ts'

export interface SimRequest extends Keyed {
  readonly id: number
  readonly arrivedMs: number
  /** Prompt tokens, and tokens that will be generated: nobody but the engine looks at the latter. */
  readonly input: number
  readonly output: number
  node: ChartNode
  /** Prompt tokens prefilled so far. */
  done: number
  /** NaN until it exists. */
  firstMs: number
  /** When its second token came; NaN until then. */
  secondMs: number
  /** Who holds its KV, and how many tokens are reserved for it there. */
  holder: SimInstance | undefined
  reserved: number
  /** Who prefills it. */
  prefiller: SimInstance | undefined
  /** Who decodes it. */
  target: SimInstance | undefined
  /** Prefill and decode on one instance, reserved as one. */
  here: boolean
  decodeAt: string | undefined
  /** Number of the decode iteration that makes its last token (`Keyed.at`). */
  at: number
  /** Bytes moved for it, all transfers together. */
  movedBytes: number
}
