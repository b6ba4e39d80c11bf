/**
 * What the readers of picture headers share: their answer, their errors, bytes as characters.
 * @module
 */
import { VolleyError } from '../../errors.ts'

export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif'

/** A file's own words. Sizes are those of the stored picture. */
export interface RawHeader {
  format: ImageFormat
  width: number
  height: number
  /** EXIF: 1 = as stored, 2..8 = turned or mirrored; from 5 on width and height change places. */
  orientation: number
  /** Four inks instead of three lights. */
  cmyk?: boolean
}

const NAMES: Record<ImageFormat, string> = { png: 'PNG', jpeg: 'JPEG', webp: 'WebP', gif: 'GIF' }

/** The error for a file that breaks its own format; undefined where it has none. */
export const damaged = (format: ImageFormat | undefined, why: string, cause?: unknown): VolleyError =>
  new VolleyError('image_invalid', `The picture is not ${format ? `a sound ${NAMES[format]} file` : 'a file'}: ${why}`, {
    remedy: 'send the whole file, as a picture program wrote it.',
    ...(cause === undefined ? {} : { cause }),
  })

/** The error for files that are well, but of a kind that is not decoded here. */
export const unsupportedImage = (what: string): VolleyError =>
  new VolleyError('image_unsupported', `The picture is ${what}`, { remedy: 'send PNG, JPEG, WebP or GIF.' })

/** `length` bytes as characters. The caller has checked that they are there. */
export const latin1 = (view: DataView, at: number, length: number): string =>
  String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, length))
