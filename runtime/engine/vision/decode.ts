/**
 * Picture files to pixels, through sharp (libvips) with everything turned off that is not needed: only the loaders of
 * four formats may run, and only after our own reader has seen the file's size. Knows nothing of models.
 *
 * Colours are those that Pillow gives: EXIF orientation is applied, alpha blends on white, profiles are ignored, four
 * inks become lights without one, 16 bits lose their lower half.
 * @module
 */
import type { Sharp, SharpOptions } from 'sharp'
import { VolleyError } from '../../errors.ts'
import { Gate } from '../gate.ts'
import { damaged } from './header-parts.ts'
import { type ImageHeader, type ImageLimits, readImageHeader } from './header.ts'
import type { RgbImage } from './image.ts'
import { blendOnWhite, dropInk, repeatGrey } from './samples.ts'

type SharpModule = typeof import('sharp')['default']

export interface DecoderOptions extends ImageLimits {
  /**
   * Pictures decoded at once. One of 16 million pixels takes up to 400 MB while it is decoded.
   *
   * @default {2}
   */
  concurrent?: number
}

/** Operations of libvips that read the four formats from memory. All other loaders stay blocked. */
const LOADERS = ['Png', 'Jpeg', 'Webp', 'Nsgif'].map((format) => `VipsForeignLoad${format}Buffer`)

/** What an EXIF orientation asks for, in the order in which sharp does it: mirror, then turn clockwise. */
const TURNS: Record<number, (image: Sharp) => Sharp> = {
  2: (image) => image.flop(),
  3: (image) => image.rotate(180),
  4: (image) => image.flip(),
  5: (image) => image.flip().rotate(90),
  6: (image) => image.rotate(90),
  7: (image) => image.flip().rotate(270),
  8: (image) => image.rotate(270),
}

/** Decodes picture files within limits. */
export class ImageDecoder {
  readonly #limits: ImageLimits
  readonly #gate: Gate

  constructor({ concurrent = 2, ...limits }: DecoderOptions = {}) {
    this.#limits = limits
    this.#gate = new Gate(concurrent)
  }

  /**
   * Waits for its turn, then decodes; a decode under way is not interrupted by `signal`.
   * Errors: those of `readImageHeader`, `cancelled`, `engine_unavailable` (sharp is not installed).
   */
  async decode(file: Uint8Array, signal: AbortSignal): Promise<RgbImage> {
    const header = readImageHeader(file, this.#limits)
    const sharp = await loadSharp()
    return await this.#gate.run(() => pixels(sharp, file, header), signal)
  }
}

/** Messages of sharp and libvips go on for several lines. */
const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).trim().split('\n', 1)[0]!

let loaded: Promise<SharpModule> | undefined

function loadSharp(): Promise<SharpModule> {
  loaded ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.block({ operation: ['VipsForeignLoad'] })
      sharp.unblock({ operation: LOADERS })
      sharp.cache(false)
      sharp.concurrency(1)
      return sharp
    },
    (cause: unknown) => {
      loaded = undefined
      throw new VolleyError('engine_unavailable', `Pictures cannot be decoded: ${firstLine(cause)}`, {
        remedy: 'install the dependencies again (npm ci); under Deno, allow --allow-ffi.',
        cause,
      })
    },
  )
  return loaded
}

async function pixels(sharp: SharpModule, file: Uint8Array, header: ImageHeader): Promise<RgbImage> {
  const options: SharpOptions = {
    failOn: 'error',
    ignoreIcc: true,
    limitInputPixels: header.width * header.height,
    pages: 1,
  }
  const stored = sharp(file, options)
  const inks = header.cmyk === true
  const coloured = inks ? stored.pipelineColourspace('cmyk').toColourspace('cmyk') : stored.toColourspace('srgb')
  const turned = TURNS[header.orientation]?.(coloured) ?? coloured
  const { data, info } = await turned.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true }).catch((cause) => {
    throw damaged(header.format, firstLine(cause), cause)
  })
  const { width, height } = header.seen
  if (info.width !== width || info.height !== height) {
    const sizes = `its header says ${width} × ${height}, its pixels are ${info.width} × ${info.height}`
    throw damaged(header.format, sizes)
  }
  return { width, height, data: toRgb(data, info.channels, inks) }
}

function toRgb(samples: Uint8Array, channels: number, inks: boolean): Uint8Array {
  if (inks) return dropInk(samples)
  if (channels === 4) return blendOnWhite(samples)
  if (channels === 3) return samples
  return channels === 2 ? blendOnWhite(repeatGrey(samples, 2)) : repeatGrey(samples, 1)
}
