/**
 * What a picture file says of itself in its first bytes: format, size, orientation. It is read before any decoder sees
 * the file, so that what is too large, or no picture, costs nothing. Reads no pixels.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import { readGif } from './header-gif.ts'
import { readJpeg } from './header-jpeg.ts'
import { damaged, latin1, type RawHeader, unsupportedImage } from './header-parts.ts'
import { readPng } from './header-png.ts'
import { readWebp } from './header-webp.ts'

export interface ImageHeader extends RawHeader {
  /** As it is seen: after its orientation was applied. */
  seen: { width: number; height: number }
}

/** What a picture may be at most. */
export interface ImageLimits {
  /** @default {20 MiB} */
  maxBytes?: number
  /** @default {2 ** 24} */
  maxPixels?: number
  /** @default {16384} */
  maxSide?: number
}

const tooLarge = (what: string): VolleyError =>
  new VolleyError('image_too_large', `The picture has ${what}`, { remedy: 'scale it down before sending it.' })

/**
 * Errors: `image_invalid` (empty, cut short, contradicting itself), `image_unsupported` (another format, or a rare kind
 * of a known one), `image_too_large`.
 */
export function readImageHeader(file: Uint8Array, limits: ImageLimits = {}): ImageHeader {
  const { maxBytes = 20 << 20, maxPixels = 2 ** 24, maxSide = 16384 } = limits
  if (file.length > maxBytes) throw tooLarge(`${file.length} bytes; ${maxBytes} are allowed`)
  const header = readRaw(new DataView(file.buffer, file.byteOffset, file.byteLength))
  const { format, width, height, orientation } = header
  if (width === 0 || height === 0) throw damaged(format, `it is ${width} × ${height} pixels`)
  if (Math.max(width, height) > maxSide) throw tooLarge(`${width} × ${height} pixels; a side may have ${maxSide}`)
  if (width * height > maxPixels) {
    throw tooLarge(`${width} × ${height} pixels; ${maxPixels} in all are allowed`)
  }
  const turned = orientation >= 5
  return { ...header, seen: turned ? { width: height, height: width } : { width, height } }
}

/** What begins each format: known, and not taken. */
const OTHERS: readonly [prefix: string, name: string][] = [
  ['BM', 'a BMP file'],
  ['II*\0', 'a TIFF file'],
  ['MM\0*', 'a TIFF file'],
  ['%PDF', 'a PDF file'],
  ['\0\0\x01\0', 'an ICO file'],
  ['8BPS', 'a Photoshop file'],
]

function readRaw(view: DataView): RawHeader {
  if (view.byteLength === 0) throw damaged(undefined, 'it is empty')
  const begin = latin1(view, 0, Math.min(view.byteLength, 12))
  if (begin.startsWith('\x89PNG\r\n\x1a\n')) return readPng(view)
  if (begin.startsWith('\xff\xd8\xff')) return readJpeg(view)
  if (begin.startsWith('RIFF') && begin.endsWith('WEBP')) return readWebp(view)
  if (begin.startsWith('GIF87a') || begin.startsWith('GIF89a')) return readGif(view)
  const other = OTHERS.find(([prefix]) => begin.startsWith(prefix))
  if (other) throw unsupportedImage(other[1])
  if (begin.slice(4, 8) === 'ftyp') throw unsupportedImage('an AVIF, HEIC or video file')
  if (/^\s*</.test(begin.replace('\xef\xbb\xbf', ''))) throw unsupportedImage('text (SVG, HTML or XML), not pixels')
  throw unsupportedImage('of no known format')
}
