/**
 * The vectors of a request's pictures on their way to its prompt: every part is pulled at once, each tile's vectors are
 * there as soon as its part is. Knows nothing of how they were made.
 * @module
 */
import type { Clock } from '../../runtime/clock.ts'
import { isVolleyError, VolleyError } from '../../runtime/errors.ts'
import type { GivenVectors } from '../../runtime/engine/engine.ts'
import type { EmbedsRef, EncoderRef, PictureRef } from '../../runtime/machine/generate.ts'
import type { Mover } from '../../runtime/pool/mover.ts'
import { digestOf } from '../digest.ts'
import { marksOf } from '../pictures.ts'

export interface ArrivingOptions {
  mover: Mover
  attempt: number
  /** A pull waits for vectors in the making. */
  timeoutMs: number
  signal: AbortSignal
  clock: Clock
}

export class Arriving {
  readonly encoder: EncoderRef
  /** In order of the prompt; each promise is handled. */
  readonly given: GivenVectors[]
  /** Why they will not all come. */
  lost: VolleyError | undefined
  /** How long the last one that is here took. */
  waitedMs = 0
  /** Settles when all are here, or one is lost. */
  readonly all: Promise<unknown>
  readonly #stop = new AbortController()
  readonly #recycles: (() => void)[] = []

  /** Error: `transfer_failed` when the parts are not those of the pictures. */
  constructor(pictures: readonly PictureRef[], parts: readonly EmbedsRef[], { mover, attempt, timeoutMs, signal, clock }: ArrivingOptions) {
    const [first] = parts
    if (first === undefined) throw new VolleyError('transfer_failed', 'Cannot pull the pictures: nobody has encoded them')
    this.encoder = first.encoder
    const marks = marksOf(pictures, first.encoder)
    const partOf = marks.map((_, tile) => parts.findIndex(({ from, tiles }) => tile >= from && tile < from + tiles))
    if (partOf.includes(-1)) {
      throw new VolleyError('transfer_failed', `Cannot pull the pictures: nobody has encoded tile ${partOf.indexOf(-1)}`)
    }
    const how = { attempt, timeoutMs, signal: AbortSignal.any([signal, this.#stop.signal]) }
    const startedAt = clock.monotonic()
    const pulls = parts.map((embeds) =>
      this.#pull(embeds, mover, how).then((vectors) => {
        this.waitedMs = clock.monotonic() - startedAt
        return vectors
      })
    )
    this.all = Promise.allSettled(pulls)
    this.given = marks.map((mark, tile) => {
      const { from, tiles } = parts[partOf[tile]!]!
      const vectors = pulls[partOf[tile]!]!.then((all) => {
        const size = all.length / tiles
        return all.subarray((tile - from) * size, (tile - from + 1) * size)
      })
      vectors.catch(() => undefined)
      return { ...mark, vectors }
    })
  }

  /** What has not come need not. */
  giveUp(): void {
    this.#stop.abort()
  }

  /** They have been read: their memory serves the next pull. */
  recycle(): void {
    for (const recycle of this.#recycles) recycle()
  }

  async #pull({ ticket }: EmbedsRef, mover: Mover, options: Parameters<Mover['pull']>[1]): Promise<Float32Array> {
    try {
      const { bytes, digest, mode, recycle } = await mover.pull(ticket, options)
      this.#recycles.push(recycle)
      if (mode !== 'memory' && (await digestOf(bytes)) !== digest) {
        throw new VolleyError('transfer_failed', 'Cannot pull the pictures: their vectors have another digest')
      }
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float32Array.BYTES_PER_ELEMENT)
    } catch (error) {
      if (isVolleyError(error, 'transfer_failed')) this.lost ??= error
      this.giveUp()
      throw error
    }
  }
}
