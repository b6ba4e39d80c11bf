/**
 * The head of a WebP file in its three kinds: lossy, lossless, extended.
 * Format: RFC 9649.
 * @module
 */
import { exifOrientation } from './exif.ts'
import { damaged, latin1, type RawHeader } from './header-parts.ts'

const u24 = (view: DataView, at: number): number => view.getUint16(at, true) | (view.getUint8(at + 2) << 16)

/** `view` begins with RIFF and WEBP. Error: `image_invalid`. */
export function readWebp(view: DataView): RawHeader {
  if (view.byteLength < 30) throw damaged('webp', 'it is cut short')
  const end = view.getUint32(4, true) + 8
  if (end > view.byteLength) throw damaged('webp', 'it is cut short')
  const kind = latin1(view, 12, 4)
  const sized = (width: number, height: number, orientation = 1): RawHeader => ({
    format: 'webp',
    width,
    height,
    orientation,
  })
  if (kind === 'VP8 ') {
    if (u24(view, 23) !== 0x2a019d) throw damaged('webp', 'its frame does not begin as one')
    return sized(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff)
  }
  if (kind === 'VP8L') {
    if (view.getUint8(20) !== 0x2f) throw damaged('webp', 'its frame does not begin as one')
    const bits = view.getUint32(21, true)
    return sized((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1)
  }
  if (kind !== 'VP8X') throw damaged('webp', `it begins with the chunk ${JSON.stringify(kind)}`)
  return sized(u24(view, 24) + 1, u24(view, 27) + 1, chunkOrientation(view, end))
}

/** What stands behind the file's own `end` is not its. */
function chunkOrientation(view: DataView, end: number): number {
  for (let at = 30; at + 8 <= end;) {
    const length = view.getUint32(at + 4, true)
    if (at + 8 + length > end) throw damaged('webp', 'it is cut short')
    if (latin1(view, at, 4) === 'EXIF') {
      // Some writers put JPEG's prefix before it.
      const prefix = length >= 6 && latin1(view, at + 8, 6) === 'Exif\0\0' ? 6 : 0
      return exifOrientation(view, at + 8 + prefix, length - prefix)
    }
    at += 8 + length + (length & 1)
  }
  return 1
}
