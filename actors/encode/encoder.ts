/**
 * Makes vectors of a request's tiles on this instance: the file is pulled, decoded, encoded; or they are there already.
 * They are offered before they are made: whoever pulls waits for them, and is told when they cannot be made.
 * @module
 */
import { VolleyError } from '../../runtime/errors.ts'
import type { Engine, VisionInfo } from '../../runtime/engine/engine.ts'
import type { ImageDecoder } from '../../runtime/engine/vision/decode.ts'
import type { EncoderRef, PictureRef } from '../../runtime/machine/generate.ts'
import { MAX_WAITING_TILES } from '../../runtime/pool/encoder.ts'
import type { Holds } from '../../runtime/pool/holds.ts'
import type { Mover } from '../../runtime/pool/mover.ts'
import { type EncodedPart, type EncodePart, holdOfPart } from '../../runtime/wire/encode.ts'
import { digestOf } from '../digest.ts'
import { tileName } from '../pictures.ts'
import { TileCache } from './cache.ts'
import { stretchesOf, type Stretch } from './split.ts'

/** A gateway on the way to its end must not keep an encoder waiting. */
const FILE_TIMEOUT_MS = 30_000
/** Vectors that are kept for pictures that come again. */
const CACHE_BYTES = 128 << 20
/** Vectors that requests hold here until their prompts are computed. */
const MAX_HELD_BYTES = 256 << 20

export interface PictureEncoderOptions {
  instance: { id: string; incarnation: string }
  vision: VisionInfo
  encode: NonNullable<Engine['encode']>
  mover: Mover
  holds: Holds
  /** Picture files to pixels. */
  pictures: Pick<ImageDecoder, 'decode'>
  /** The number of waiting tiles has changed. */
  onChange: () => void
  /** @default {CACHE_BYTES} */
  cacheBytes?: number
}

interface Begun {
  tiles: number
  /** Not made yet, and in no cache. */
  waiting: number
  abort: AbortController
}

export class PictureEncoder {
  readonly vision: VisionInfo
  readonly #options: PictureEncoderOptions
  readonly #encoder: EncoderRef
  readonly #cache: TileCache
  /** By hold. */
  readonly #begun = new Map<string, Begun>()
  readonly #tileBytes: number

  constructor(options: PictureEncoderOptions) {
    const { numerics, tileTokens, hiddenSize } = options.vision
    this.vision = options.vision
    this.#options = options
    this.#encoder = { numerics, tileTokens }
    this.#cache = new TileCache(options.cacheBytes ?? CACHE_BYTES)
    this.#tileBytes = tileTokens * hiddenSize * Float32Array.BYTES_PER_ELEMENT
  }

  /** Tiles that are to be encoded here, and the parts they belong to. */
  get load(): { tiles: number; parts: number } {
    const open = [...this.#begun.values()].filter(({ waiting }) => waiting > 0)
    return { tiles: open.reduce((sum, { waiting }) => sum + waiting, 0), parts: open.length }
  }

  hasRoom(): boolean {
    const held = [...this.#begun.values()].reduce((sum, { tiles }) => sum + tiles, 0)
    return this.load.tiles < MAX_WAITING_TILES && held * this.#tileBytes < MAX_HELD_BYTES
  }

  begin(part: EncodePart): EncodedPart {
    const { instance, mover, holds } = this.#options
    const { id, attempt, pictures, from, tiles } = part
    const hold = holdOfPart(part)
    const stretches = stretchesOf(pictures, part)
    const cached = this.#cache.count(stretches.flatMap((stretch) => this.#names(stretch)))
    holds.keep(hold, id, attempt, 0)
    const begun: Begun = { tiles, waiting: tiles - cached, abort: new AbortController() }
    this.#begun.set(hold, begun)
    const made = this.#make(stretches, attempt, begun.abort.signal).finally(() => {
      begun.waiting = 0
      this.#options.onChange()
    })
    // Whoever pulls is told; nobody may.
    made.catch(() => undefined)
    const bytes = tiles * this.#tileBytes
    const ticket = mover.offer(hold, { bytes, ready: made, read: () => made }, { id, attempt })
    this.#options.onChange()
    return { embeds: { ...instance, instance: instance.id, hold, from, tiles, bytes, encoder: this.#encoder, ticket }, cached }
  }

  /** The hold is gone: nobody will ask for its vectors. */
  forget(hold: string): void {
    this.#begun.get(hold)?.abort.abort()
    this.#begun.delete(hold)
  }

  #names({ picture, tiles }: Stretch): string[] {
    return tiles.map((tile) => tileName(picture, tile, this.#encoder))
  }

  /** All vectors of a part in one piece of shared memory, which an engine's thread reads without a copy. */
  async #make(stretches: Stretch[], attempt: number, signal: AbortSignal): Promise<{ bytes: Uint8Array; digest: string }> {
    const made = await Promise.all(stretches.map((stretch) => {
      const { picture, tiles } = stretch
      return this.#cache.take(this.#names(stretch), (which, stop) =>
        this.#encode(picture, which.map((at) => tiles[at]!), attempt, stop), signal)
    }))
    const vectors = made.flat()
    const bytes = new Uint8Array(new SharedArrayBuffer(vectors.length * this.#tileBytes))
    for (const [i, { buffer, byteOffset, byteLength }] of vectors.entries()) {
      bytes.set(new Uint8Array(buffer, byteOffset, byteLength), i * this.#tileBytes)
    }
    return { bytes, digest: await digestOf(bytes) }
  }

  async #encode(picture: PictureRef, tiles: number[], attempt: number, signal: AbortSignal): Promise<Float32Array[]> {
    const { mover, pictures, encode, vision } = this.#options
    const pulled = await mover.pull(picture.ticket, { attempt, signal, timeoutMs: FILE_TIMEOUT_MS, anyWay: true })
    if (pulled.mode !== 'memory' && (await digestOf(pulled.bytes)) !== pulled.digest) {
      throw new VolleyError('transfer_failed', 'Cannot pull the picture: its bytes have another digest')
    }
    // Decoders do not read shared memory.
    const file = pulled.bytes.slice()
    pulled.recycle()
    const image = await pictures.decode(file, signal)
    const all = await encode({ image, whole: picture.whole, tiles }, signal)
    const size = vision.tileTokens * vision.hiddenSize
    if (all.length !== tiles.length * size) {
      throw new VolleyError('engine_failed', `The encoder made ${all.length} numbers of ${tiles.length} tiles: not ${size} of each`)
    }
    return tiles.map((_, i) => all.slice(i * size, (i + 1) * size))
  }
}
