/**
 * Orientation in a block of EXIF data. What is malformed there says nothing: a picture is not refused for its notes.
 * Format: EXIF 2.32 (a TIFF header and its first directory).
 * @module
 */

const ORIENTATION = 0x0112
const SHORT = 3

/** 1..8, 1 where none is told. Reads within at .. at + length only. */
export function exifOrientation(view: DataView, at: number, length: number): number {
  if (length < 8) return 1
  const order = view.getUint16(at)
  if (order !== 0x4949 && order !== 0x4d4d) return 1
  const little = order === 0x4949
  const directory = view.getUint32(at + 4, little)
  if (view.getUint16(at + 2, little) !== 42 || directory + 2 > length) return 1
  const entries = view.getUint16(at + directory, little)
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * 12
    if (entry + 12 > length) return 1
    if (view.getUint16(at + entry, little) !== ORIENTATION) continue
    const value = view.getUint16(at + entry + 8, little)
    return view.getUint16(at + entry + 2, little) === SHORT && value >= 1 && value <= 8 ? value : 1
  }
  return 1
}
