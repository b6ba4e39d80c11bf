/**
 * The places of one prompt whose vectors an encoder makes: which of them are here, and how far the prompt can be
 * computed until the next. Knows nothing of chunks, caches or encoders.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { GivenVectors } from '../engine.ts'
import type { GivenRows } from '../forward.ts'
import { givenRows, type PlacedTile } from '../vision/given.ts'

export interface GivenOptions {
  /** Length of a vector. */
  hiddenSize: number
  /** Some have come. */
  onArrival(): void
  /** Those of positions below `end` will not come. */
  onLoss(end: number, error: unknown): void
}

export class Given {
  readonly #hiddenSize: number
  /** Still to come. */
  readonly #awaited: Set<GivenVectors>
  readonly #here: PlacedTile[] = []

  constructor(places: readonly GivenVectors[], { hiddenSize, onArrival, onLoss }: GivenOptions) {
    this.#hiddenSize = hiddenSize
    this.#awaited = new Set(places)
    for (const place of places) {
      const { start, tokens } = place
      const arrive = (vectors: Float32Array) => {
        if (vectors.length !== tokens * hiddenSize) throw misfit(place, vectors.length, hiddenSize)
        this.#awaited.delete(place)
        this.#here.push({ start, vectors })
        onArrival()
      }
      place.vectors.then(arrive).catch((error: unknown) => onLoss(start + tokens, error))
    }
  }

  /** First position from `from` on whose vector is not here; Infinity = none is missing. */
  reach(from: number): number {
    let first = Infinity
    for (const { start, tokens } of this.#awaited) {
      if (start + tokens > from) first = Math.min(first, Math.max(start, from))
    }
    return first
  }

  /** Given rows of positions from .. to - 1, counted from `from`. */
  rows(from: number, to: number): GivenRows[] {
    return givenRows(this.#here, this.#hiddenSize, from, to)
  }
}

function misfit({ start, tokens, name }: GivenVectors, floats: number, hiddenSize: number): VolleyError {
  const why = `The vectors of ${name} are ${floats} numbers; ${tokens} tokens at ${start} take ${tokens * hiddenSize}`
  return new VolleyError('transfer_failed', why, {
    remedy: 'Encode the picture again, on instances that serve the same model.',
  })
}
