/**
 * The encoder's queue, served in turns between the loop's steps: first come, first served, small tiles of several
 * pictures together. It knows tiles and time; nothing of prompts.
 * @module
 */
import { toVolleyError, VolleyError } from '../../errors.ts'
import type { EncodeJob } from '../engine.ts'
import type { Vision } from '../vision/encoder.ts'
import { Encode } from './encode.ts'

/** Next tiles of one picture. */
interface Part {
  encode: Encode
  tiles: number
}

export class Encodes {
  readonly #vision: Vision
  /** Numbers of a tile, and of its vectors. */
  readonly #tileFloats: number
  readonly #tileVectors: number
  #queue: Encode[] = []
  /** Milliseconds of the latest call of the encoder, and of a tile in it; 0 = none yet. */
  #callMs = 0
  #tileMs = 0
  /** Since when tiles that could be encoded have waited for company. */
  #waitingSince: number | undefined

  constructor(vision: Vision) {
    this.#vision = vision
    this.#tileFloats = 3 * vision.settings.tileSize ** 2
    this.#tileVectors = vision.encoder.tileTokens * vision.encoder.config.outputSize
  }

  /** Tiles waiting or being encoded. */
  get tilesWaiting(): number {
    return this.#queue.reduce((sum, encode) => sum + encode.left, 0)
  }

  /** Error: `invalid_request`. */
  add(job: EncodeJob): Encode {
    const { settings, encoder } = this.#vision
    const encode = new Encode(job, settings, encoder.config.outputSize)
    if (!encode.over) this.#queue.push(encode)
    return encode
  }

  /**
   * One turn: a piece of a picture's preparation, or one call of the encoder.
   * @param mostMs what a call should not take longer than, if there is a choice
   */
  async turn(mostMs: number): Promise<void> {
    this.#queue = this.#queue.filter(({ over }) => !over)
    if (this.#queue.length === 0) return
    const affordable = this.#tileMs === 0 ? Infinity : Math.floor(mostMs / this.#tileMs)
    const most = Math.max(1, Math.min(this.#vision.encoder.together, affordable))
    const parts = this.#ready(most)
    const unprepared = this.#queue.find(({ ready }) => !ready)
    if (unprepared && (parts.length === 0 || this.#mayWait(parts, most))) prepare(unprepared)
    else await this.#encode(parts)
  }

  /** Nobody wants it any more. */
  cancel(encode: Encode): void {
    encode.cancel()
    this.#queue = this.#queue.filter((other) => other !== encode)
  }

  failAll(error: VolleyError): void {
    for (const encode of this.#queue) encode.fail(error)
    this.#queue = []
  }

  /** The next tiles that can be encoded, at most so many, in order of arrival. */
  #ready(most: number): Part[] {
    const parts: Part[] = []
    for (const encode of this.#queue) {
      if (!encode.ready || most === 0) break
      const tiles = Math.min(encode.left, most)
      most -= tiles
      parts.push({ encode, tiles })
    }
    return parts
  }

  /** Tiles that could go wait until a call is full, but no longer than the latest call took. */
  #mayWait(parts: readonly Part[], most: number): boolean {
    if (parts.reduce((sum, { tiles }) => sum + tiles, 0) === most) return false
    this.#waitingSince ??= performance.now()
    return performance.now() - this.#waitingSince < this.#callMs
  }

  /** One call; where it fails, once more for each picture alone, so that none takes another down with it. */
  async #encode(parts: readonly Part[]): Promise<void> {
    this.#waitingSince = undefined
    const { encoder } = this.#vision
    const tiles = parts.reduce((sum, part) => sum + part.tiles, 0)
    const pixels = new Float32Array(tiles * this.#tileFloats)
    const started = performance.now()
    let vectors: Float32Array
    try {
      let at = 0
      for (const part of parts) {
        part.encode.write(part.tiles, pixels.subarray(at, (at += part.tiles * this.#tileFloats)))
      }
      vectors = await encoder.encode(pixels)
      if (vectors.length !== tiles * this.#tileVectors) throw new Error(`${tiles} tiles became ${vectors.length} numbers`)
    } catch (error) {
      const [only, ...others] = parts
      if (others.length === 0) return only?.encode.fail(failed(error))
      for (const part of parts) if (!part.encode.over) await this.#encode([part])
      return
    }
    this.#callMs = performance.now() - started
    this.#tileMs = this.#callMs / tiles
    let at = 0
    for (const part of parts) part.encode.take(vectors.subarray(at, (at += part.tiles * this.#tileVectors)))
  }
}

function prepare(encode: Encode): void {
  try {
    encode.prepare()
  } catch (error) {
    encode.fail(failed(error))
  }
}

/** Whatever a turn threw, as `engine_failed`. */
const failed = (error: unknown): VolleyError =>
  new VolleyError('engine_failed', `A picture could not be encoded: ${toVolleyError(error).message}`, {
    remedy: 'Send the request again; if it fails again, try another --engine.',
    cause: error,
  })
