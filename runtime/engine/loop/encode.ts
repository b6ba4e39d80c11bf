/**
 * Some tiles of one picture on their way to vectors: resized, written, encoded, a few at a time. It knows its own
 * picture; nothing of others, of the encoder or of when its turn comes.
 * @module
 */
import { toVolleyError, VolleyError } from '../../errors.ts'
import type { EncodeJob } from '../engine.ts'
import { handled } from '../handled.ts'
import { TileCutter } from '../vision/processor.ts'
import type { ImageSettings } from '../vision/settings.ts'

export class Encode {
  /** [tiles, tileTokens, hiddenSize], on shared memory. */
  readonly done: Promise<Float32Array>
  readonly #settled = Promise.withResolvers<Float32Array>()
  readonly #tiles: readonly number[]
  readonly #cutter: TileCutter
  readonly #vectors: Float32Array
  /** Floats of one tile's vectors. */
  readonly #tileVectors: number
  #encoded = 0
  #over = false

  /** Error: `invalid_request`. */
  constructor({ image, whole, tiles }: EncodeJob, settings: ImageSettings, hiddenSize: number) {
    const { width, height, data } = image
    const sound = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0
    if (!sound || data.length !== width * height * 3) throw invalid(`${data.length} bytes are no ${width} × ${height} picture`)
    this.#cutter = new TileCutter(whole ? { ...settings, splitting: false } : settings, image)
    const all = this.#cutter.layout.tiles
    for (const tile of tiles) {
      if (!(Number.isInteger(tile) && tile >= 0 && tile < all)) throw invalid(`Tile ${tile} is not one of ${all}`)
    }
    this.#tiles = tiles
    this.#tileVectors = settings.tileTokens * hiddenSize
    const { BYTES_PER_ELEMENT } = Float32Array
    this.#vectors = new Float32Array(new SharedArrayBuffer(tiles.length * this.#tileVectors * BYTES_PER_ELEMENT))
    this.done = handled(this.#settled.promise)
    if (tiles.length === 0) this.#finish()
  }

  /** Done, failed or cancelled. */
  get over(): boolean {
    return this.#over
  }

  /** Tiles whose vectors are still to come. */
  get left(): number {
    return this.#over ? 0 : this.#tiles.length - this.#encoded
  }

  /** Its tiles can be written. */
  get ready(): boolean {
    return this.#cutter.ready
  }

  /** A piece of what comes before. */
  prepare(): void {
    this.#cutter.advance()
  }

  /** Writes its next tiles. @param out [count, 3, tileSize, tileSize] */
  write(count: number, out: Float32Array): void {
    const { tileFloats } = this.#cutter
    for (let i = 0; i < count; i++) {
      this.#cutter.write(this.#tiles[this.#encoded + i]!, out.subarray(i * tileFloats, (i + 1) * tileFloats))
    }
  }

  /** Takes its next tiles' vectors. @param vectors [count, tileTokens, hiddenSize] */
  take(vectors: Float32Array): void {
    if (this.#over) return
    this.#vectors.set(vectors, this.#encoded * this.#tileVectors)
    this.#encoded += vectors.length / this.#tileVectors
    if (this.left === 0) this.#finish()
  }

  /** Ends it because nobody wants it any more. */
  cancel(): void {
    this.fail(new VolleyError('cancelled', 'The encoding of a picture was cancelled'))
  }

  fail(error: unknown): void {
    this.#over = true
    this.#settled.reject(toVolleyError(error))
  }

  #finish(): void {
    this.#over = true
    this.#settled.resolve(this.#vectors)
  }
}

const invalid = (message: string) => new VolleyError('invalid_request', message, { param: 'messages' })
