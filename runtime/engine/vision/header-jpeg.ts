/**
 * The segments of a JPEG file up to its frame header, and orientation where EXIF has it.
 * Format: ITU-T T.81, annex B.
 * @module
 */
import { exifOrientation } from './exif.ts'
import { damaged, latin1, type RawHeader, unsupportedImage } from './header-parts.ts'

/** Frames that are decoded: baseline, extended and progressive, Huffman-coded. */
const FRAMES = new Set([0xc0, 0xc1, 0xc2])

/** `view` begins with JPEG's signature. Errors: `image_invalid`, `image_unsupported`. */
export function readJpeg(view: DataView): RawHeader {
  let orientation: number | undefined
  for (let at = 2; at + 4 <= view.byteLength;) {
    if (view.getUint8(at) !== 0xff) throw damaged('jpeg', 'a segment does not begin where the one before ends')
    const marker = view.getUint8(at + 1)
    // Any number of fill bytes may stand before a marker; some markers stand alone.
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += marker === 0xff ? 1 : 2
      continue
    }
    if (marker === 0xda || marker === 0xd9) throw damaged('jpeg', 'it has no frame header')
    const length = view.getUint16(at + 2)
    const end = at + 2 + length
    if (length < 2 || end > view.byteLength) break
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return frame(view, at + 4, length - 2, marker, orientation ?? 1)
    }
    if (marker === 0xe1 && length >= 8 && latin1(view, at + 4, 6) === 'Exif\0\0') {
      orientation ??= exifOrientation(view, at + 10, length - 8)
    }
    at = end
  }
  throw damaged('jpeg', 'it is cut short')
}

function frame(view: DataView, at: number, length: number, marker: number, orientation: number): RawHeader {
  if (!FRAMES.has(marker)) throw unsupportedImage('a lossless or arithmetic-coded JPEG')
  if (length < 6) throw damaged('jpeg', 'its frame header is too short')
  const [bits, components] = [view.getUint8(at), view.getUint8(at + 5)]
  if (bits !== 8) throw unsupportedImage(`a JPEG of ${bits} bits a sample`)
  if (![1, 3, 4].includes(components) || length !== 6 + 3 * components) {
    throw damaged('jpeg', `its frame header names ${components} components in ${length} bytes`)
  }
  const [height, width] = [view.getUint16(at + 1), view.getUint16(at + 3)]
  return { format: 'jpeg', width, height, orientation, cmyk: components === 4 }
}
