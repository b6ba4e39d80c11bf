/**
 * Where a request's pictures come in: from a URL to a file that has been found to be a picture. What is too large is
 * refused by its header, what is damaged by decoding it once; pixels are dropped again. Knows nothing of models.
 * @module
 */
import { createHash } from 'node:crypto'
import { type Clock, realClock } from '../../../runtime/clock.ts'
import { isVolleyError, VolleyError } from '../../../runtime/errors.ts'
import { ImageDecoder } from '../../../runtime/engine/vision/decode.ts'
import { Gate } from '../../../runtime/engine/gate.ts'
import { type ImageHeader, readImageHeader } from '../../../runtime/engine/vision/header.ts'
import type { Hold } from './budget.ts'
import { dataUrlBytes } from './data-url.ts'
import { type RemoteOptions, RemotePictures } from './remote.ts'

export interface DoorOptions {
  clock?: Clock
  /** Hosts that pictures may be fetched from. @default {none} */
  hosts?: readonly string[]
  /** Of one picture. @default {20 MiB} @default {2 ** 24} */
  maxBytes?: number
  maxPixels?: number
  /** Of a request's pictures together. @default {2 ** 26} */
  requestPixels?: number
  /** Longest wait for one picture of another host, and most redirects on the way. @default {10000} @default {3} */
  fetchMs?: number
  redirects?: number
  /** Pictures fetched at once, over all requests. @default {16} */
  fetches?: number
  /** Longest time for all pictures of a request to be loaded, and once more to be decoded. @default {30000} */
  waitMs?: number
  /** For tests. */
  remote?: Pick<RemoteOptions, 'resolve' | 'mayConnect'>
}

/** A picture as a request names it. */
export interface WantedPicture {
  url: string
  /** The request's field, for errors. */
  param: string
}

export interface PictureFile {
  file: Uint8Array
  /** SHA-256 of the file, hex. */
  digest: string
  header: ImageHeader
  param: string
}

/** Files remembered to be sound. A chat sends its pictures again with every turn. */
const REMEMBERED = 4096

export class PictureDoor {
  readonly #options: Required<Omit<DoorOptions, 'hosts' | 'remote' | 'redirects' | 'fetches'>>
  readonly #remote: RemotePictures
  readonly #decoder: ImageDecoder
  readonly #fetches: Gate
  readonly #sound = new Set<string>()

  constructor(options: DoorOptions = {}) {
    const {
      clock = realClock, hosts = [], maxBytes = 20 << 20, maxPixels = 2 ** 24, requestPixels = 2 ** 26,
      fetchMs = 10_000, redirects = 3, fetches = 16, waitMs = 30_000, remote = {},
    } = options
    this.#options = { clock, maxBytes, maxPixels, requestPixels, fetchMs, waitMs }
    this.#decoder = new ImageDecoder({ maxBytes, maxPixels })
    this.#fetches = new Gate(fetches)
    this.#remote = new RemotePictures({
      ...remote, hosts, clock, maxBytes, timeoutMs: fetchMs, maxRedirects: redirects,
    })
  }

  /**
   * The files of these pictures, in order; the same URL is fetched once, the same file kept once. Their headers are
   * sound, and no pixel has been looked at. Errors: `image_invalid`, `image_unsupported`, `image_too_large`,
   * `image_url_refused`, `image_fetch_failed`, `overloaded`, `cancelled`, with the picture's `param`.
   */
  async load(wanted: readonly WantedPicture[], signal: AbortSignal, hold: Hold): Promise<PictureFile[]> {
    const byUrl = new Map<string, Promise<PictureFile>>()
    const files = await this.#within(signal, (either) =>
      Promise.all(wanted.map(({ url, param }) => {
        const known = byUrl.get(url) ?? this.#one({ url, param }, either, hold)
        byUrl.set(url, known)
        return known
      })))
    const once = new Map(files.map((picture) => [picture.digest, picture]))
    const pixels = [...once.values()].reduce((sum, { header }) => sum + header.width * header.height, 0)
    if (pixels > this.#options.requestPixels) throw tooManyPixels(pixels, this.#options.requestPixels)
    return files.map((picture) => once.get(picture.digest)!)
  }

  /** Decodes each file once. Errors: `image_invalid`, `overloaded`, `cancelled`, `engine_unavailable`. */
  async check(pictures: readonly PictureFile[], signal: AbortSignal): Promise<void> {
    await this.#within(signal, async (either) => {
      for (const { file, digest, param } of pictures) {
        if (this.#sound.has(digest)) continue
        await this.#decoder.decode(file, either).catch((error: unknown) => {
          throw at(param, error)
        })
        this.#remember(digest)
      }
    })
  }

  /** The signal handed on fires when the caller's does, when time is up, and at the end. */
  async #within<T>(signal: AbortSignal, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, waitMs } = this.#options
    const end = new AbortController()
    let late = false
    const stopTimer = clock.setTimer(waitMs, () => {
      late = true
      end.abort()
    })
    try {
      return await task(AbortSignal.any([signal, end.signal]))
    } catch (error) {
      if (!late || !isVolleyError(error, 'cancelled')) throw error
      throw new VolleyError('overloaded', `The request's pictures could not be read within ${waitMs} ms`, {
        remedy: 'try again a little later, or with fewer pictures',
      })
    } finally {
      stopTimer()
      end.abort()
    }
  }

  async #one({ url, param }: WantedPicture, signal: AbortSignal, hold: Hold): Promise<PictureFile> {
    try {
      const file = await this.#file(url, signal, hold)
      const header = readImageHeader(file, this.#options)
      return { file, header, param, digest: createHash('sha256').update(file).digest('hex') }
    } catch (error) {
      throw at(param, error)
    }
  }

  async #file(url: string, signal: AbortSignal, hold: Hold): Promise<Uint8Array> {
    if (!/^data:/i.test(url)) {
      return await this.#fetches.run(() => this.#remote.fetch(url, signal, (bytes) => hold.add(bytes)), signal)
    }
    const file = dataUrlBytes(url)
    hold.add(file.length)
    return file
  }

  #remember(digest: string): void {
    this.#sound.add(digest)
    const [oldest] = this.#sound
    if (this.#sound.size > REMEMBERED) this.#sound.delete(oldest!)
  }
}

/** The same error, with the part of the request that it is about. */
function at(param: string, error: unknown): unknown {
  if (!isVolleyError(error) || error.param !== undefined) return error
  const { code, message, remedy } = error
  return new VolleyError(code, message, { param, cause: error, ...(remedy !== undefined && { remedy }) })
}

const tooManyPixels = (pixels: number, allowed: number): VolleyError =>
  new VolleyError('image_too_large', `The request's pictures have ${pixels} pixels; ${allowed} in all are allowed`, {
    param: 'messages',
    remedy: 'send fewer pictures, or scale them down.',
  })
