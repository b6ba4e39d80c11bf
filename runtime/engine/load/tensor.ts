/**
 * Where a tensor lies in a file and how to read it as float32. Both file formats end in this table; it knows neither.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { ByteFile } from './file.ts'
import type { NumberFormat } from './format.ts'
import { NUMBER_FORMATS } from './quants.ts'

/** One tensor of a file. */
export interface TensorEntry {
  readonly file: ByteFile
  /** Number format, e.g. `F16` or `Q4_0`. */
  readonly type: string
  /** Row-major, slowest axis first. */
  readonly shape: readonly number[]
  /** First byte in the file. */
  readonly offset: number
  /** Bytes in the file. */
  readonly bytes: number
}

/** Tensors by the name the file gives them. */
export type TensorTable = ReadonlyMap<string, TensorEntry>

/** Bytes decoded at a time, at most: reading never doubles a tensor's memory. */
const PIECE_BYTES = 4 << 20

/** The number format called `type`. Errors: `model_unsupported`, naming those that can be read. */
export function numberFormat(type: string, tensor: string, path: string): NumberFormat {
  const format = Object.hasOwn(NUMBER_FORMATS, type) ? NUMBER_FORMATS[type] : undefined
  if (format) return format
  throw new VolleyError('model_unsupported', `${path}: tensor ${tensor} is stored as ${type}, which cannot be read`, {
    remedy: `use a file whose tensors are of these types: ${Object.keys(NUMBER_FORMATS).join(', ')}.`,
    param: path,
  })
}

/** Numbers in a tensor of this shape; `undefined` when that is not a count a program can hold. */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1
  for (const axis of shape) {
    if (!Number.isSafeInteger(axis) || axis < 0) return undefined
    count *= axis
  }
  return Number.isSafeInteger(count) ? count : undefined
}

/** Dequantises a tensor: a fresh row-major float32 array. The entry was checked when its file was opened. */
export function readTensor(entry: TensorEntry, name: string): Float32Array {
  const format = numberFormat(entry.type, name, entry.file.path)
  const out = new Float32Array((entry.bytes / format.blockBytes) * format.blockElements)
  const pieceBlocks = Math.floor(PIECE_BYTES / format.blockBytes)
  const piece = new Uint8Array(Math.min(entry.bytes, pieceBlocks * format.blockBytes))
  for (let done = 0; done < entry.bytes; done += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, entry.bytes - done))
    entry.file.readInto(part, entry.offset + done)
    const blocks = part.length / format.blockBytes
    format.decode(
      new DataView(part.buffer, 0, part.length),
      blocks,
      out,
      (done / format.blockBytes) * format.blockElements,
    )
  }
  return out
}
