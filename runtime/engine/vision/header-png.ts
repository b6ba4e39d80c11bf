/**
 * The head of a PNG file, and a walk over its chunks: each must end within the file and none that is compressed text or
 * a colour profile may be large, for such a chunk can unpack to a thousand times its size.
 * Format: https://www.w3.org/TR/png-3/
 * @module
 */
import { exifOrientation } from './exif.ts'
import { damaged, latin1, type RawHeader } from './header-parts.ts'

const PACKED = new Set(['iCCP', 'zTXt', 'iTXt'])

/** Bytes that a compressed chunk beside the pixels may have. Real profiles have up to a few hundred thousand. */
const PACKED_BYTES = 1 << 20

/** Bits a sample may have, by colour type. */
const DEPTHS: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
}

/** `view` begins with PNG's signature. Error: `image_invalid`. */
export function readPng(view: DataView): RawHeader {
  if (view.byteLength < 33 || latin1(view, 12, 4) !== 'IHDR' || view.getUint32(8) !== 13) {
    throw damaged('png', 'its header is missing')
  }
  const [width, height] = [view.getUint32(16), view.getUint32(20)]
  const [depth, colour, packing, filter, interlace] = [24, 25, 26, 27, 28].map((at) => view.getUint8(at)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  if (!DEPTHS[colour]?.includes(depth) || packing > 0 || filter > 0 || interlace > 1) {
    throw damaged('png', `its header names colour type ${colour} of ${depth} bits`)
  }
  return { format: 'png', width, height, orientation: walk(view) }
}

/** Orientation, if a chunk before the end tells. */
function walk(view: DataView): number {
  let orientation = 1
  let pixels = false
  for (let at = 33; at < view.byteLength;) {
    if (at + 12 > view.byteLength) break
    const length = view.getUint32(at)
    const type = latin1(view, at + 4, 4)
    if (at + 12 + length > view.byteLength) break
    if (PACKED.has(type) && length > PACKED_BYTES) throw damaged('png', `its chunk ${type} has ${length} bytes`)
    if (type === 'IDAT') pixels = true
    if (type === 'eXIf') orientation = exifOrientation(view, at + 8, length)
    if (type === 'IEND') {
      if (pixels) return orientation
      throw damaged('png', 'it has no pixels')
    }
    at += 12 + length
  }
  throw damaged('png', 'it is cut short')
}
