/**
 * The GGUF container, versions 2 and 3: metadata by key and the table of tensors. Knows nothing of architectures or
 * tokenizers. Large arrays (vocabularies) stay in the file until they are asked for.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * @module
 */
import { VolleyError } from '../../errors.ts'
import { ByteFile } from './file.ts'
import { GgufCursor } from './gguf-cursor.ts'
import { GGML_TYPES } from './gguf-types.ts'
import { elementCount, numberFormat, type TensorEntry, type TensorTable } from './tensor.ts'

type Scalar = string | number | boolean

/** An array that still lies in the file. */
interface ArrayRef {
  type: number
  count: number
  start: number
  end: number
}

const STRING = 8
const ARRAY = 9
const KEY_BYTES = 65535
const TEXT_BYTES = 16 << 20

/** Bytes and reader of each scalar value type; 64-bit integers become the nearest double. */
const SCALARS: Readonly<Record<number, [bytes: number, read: (view: DataView, at: number) => number | boolean]>> = {
  0: [1, (v, at) => v.getUint8(at)],
  1: [1, (v, at) => v.getInt8(at)],
  2: [2, (v, at) => v.getUint16(at, true)],
  3: [2, (v, at) => v.getInt16(at, true)],
  4: [4, (v, at) => v.getUint32(at, true)],
  5: [4, (v, at) => v.getInt32(at, true)],
  6: [4, (v, at) => v.getFloat32(at, true)],
  7: [1, (v, at) => v.getUint8(at) !== 0],
  10: [8, (v, at) => Number(v.getBigUint64(at, true))],
  11: [8, (v, at) => Number(v.getBigInt64(at, true))],
  12: [8, (v, at) => v.getFloat64(at, true)],
}

/** An open GGUF file. Close it when done. */
export class GgufFile {
  readonly file: ByteFile
  readonly tensors: TensorTable
  readonly #values = new Map<string, Scalar | ArrayRef>()

  /** Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported` (version, number format). */
  constructor(path: string) {
    this.file = new ByteFile(path)
    try {
      const cursor = new GgufCursor(this.file)
      const [tensorCount, valueCount] = readCounts(cursor)
      cursor.expect(valueCount, 13, 'metadata entries')
      for (let i = 0; i < valueCount; i++) this.#readEntry(cursor)
      cursor.expect(tensorCount, 24, 'tensors')
      this.tensors = readTensors(cursor, tensorCount, this.number('general.alignment') ?? 32)
    } catch (error) {
      this.file.close()
      throw error
    }
  }

  /** The value if the key is there and is text. */
  text(key: string): string | undefined {
    const value = this.#values.get(key)
    return typeof value === 'string' ? value : undefined
  }

  /** The value if the key is there and is a number. */
  number(key: string): number | undefined {
    const value = this.#values.get(key)
    return typeof value === 'number' ? value : undefined
  }

  /** The value if the key is there and is a truth value. */
  flag(key: string): boolean | undefined {
    const value = this.#values.get(key)
    return typeof value === 'boolean' ? value : undefined
  }

  /** The strings of an array; undefined when the key is not one. */
  texts(key: string): string[] | undefined {
    const ref = this.#array(key)
    if (ref?.type !== STRING) return undefined
    const { buffer } = this.file.read(ref.start, ref.end - ref.start)
    const bytes = Buffer.from(buffer)
    const out: string[] = []
    for (let at = 0; at < bytes.length;) {
      const end = at + 8 + Number(bytes.readBigUInt64LE(at))
      out.push(bytes.toString('utf8', at + 8, end))
      at = end
    }
    return out
  }

  /** The numbers of an array; undefined when the key is not one. */
  numbers(key: string): number[] | undefined {
    const ref = this.#array(key)
    const scalar = ref && SCALARS[ref.type]
    if (!ref || !scalar) return undefined
    const view = new DataView(this.file.read(ref.start, ref.end - ref.start).buffer)
    return Array.from({ length: ref.count }, (_, i) => Number(scalar[1](view, i * scalar[0])))
  }

  close(): void {
    this.file.close()
  }

  #array(key: string): ArrayRef | undefined {
    const value = this.#values.get(key)
    return typeof value === 'object' ? value : undefined
  }

  #readEntry(cursor: GgufCursor): void {
    const key = cursor.text(KEY_BYTES, 'metadata key')
    if (this.#values.has(key)) throw cursor.bad(`metadata key ${key} comes twice`)
    const type = cursor.u32()
    if (type === STRING) this.#values.set(key, cursor.text(TEXT_BYTES, `value of ${key}`))
    else if (type === ARRAY) this.#values.set(key, skipArray(cursor, key))
    else this.#values.set(key, cursor.scalar(...scalarOf(type, cursor)))
  }
}

function scalarOf(type: number, cursor: GgufCursor): [number, (view: DataView, at: number) => number | boolean] {
  const scalar = SCALARS[type]
  if (!scalar) throw cursor.bad(`metadata type ${type} does not exist`)
  return scalar
}

function readCounts(cursor: GgufCursor): [tensors: number, values: number] {
  const { path, size } = cursor.file
  const magic = size < 4 ? '' : Buffer.from(cursor.file.read(0, 4)).toString('latin1')
  if (magic !== 'GGUF') {
    throw new VolleyError('model_file_invalid', `${path} is not a GGUF file: it begins with ${JSON.stringify(magic)}`, {
      remedy: 'give a .gguf file, or a directory with config.json and *.safetensors.',
      param: path,
    })
  }
  cursor.skip(4)
  const version = cursor.u32()
  if (version !== 2 && version !== 3) {
    // The low half of a big-endian file's version is zero.
    const what = version > 0xffff ? 'big-endian' : `of version ${version}`
    throw new VolleyError('model_unsupported', `${path} is a GGUF file ${what}; little-endian 2 and 3 can be read`, {
      remedy: 'convert the model again with a current llama.cpp.',
      param: path,
    })
  }
  return [cursor.size(), cursor.size()]
}

/** Steps over an array, checking every length on the way, and notes where it lies. */
function skipArray(cursor: GgufCursor, key: string): ArrayRef {
  const type = cursor.u32()
  const count = cursor.size()
  const start = cursor.offset
  if (type === STRING) {
    cursor.expect(count, 8, `strings of ${key}`)
    for (let i = 0; i < count; i++) cursor.skip(cursor.size())
  } else if (type === ARRAY) {
    throw cursor.bad(`${key} is an array of arrays`)
  } else {
    const [bytes] = scalarOf(type, cursor)
    cursor.expect(count, bytes, `values of ${key}`)
    cursor.skip(count * bytes)
  }
  return { type, count, start, end: cursor.offset }
}

function readTensors(cursor: GgufCursor, count: number, alignment: number): TensorTable {
  if (!Number.isInteger(alignment) || alignment < 1 || alignment > 1 << 20) {
    throw cursor.bad(`alignment ${alignment} is absurd`)
  }
  const found: [name: string, type: string, shape: number[], relative: number, bytes: number][] = []
  for (let i = 0; i < count; i++) {
    const name = cursor.text(KEY_BYTES, 'tensor name')
    const axes = cursor.u32()
    if (axes > 4) throw cursor.bad(`tensor ${name} has ${axes} axes`)
    // GGML writes the fastest axis first.
    const shape = Array.from({ length: axes }, () => cursor.size()).reverse()
    const number = cursor.u32()
    const type = GGML_TYPES[number]
    if (!type) throw cursor.bad(`tensor ${name} has number type ${number}, which is not known`)
    found.push([name, type, shape, cursor.size(), tensorBytes(cursor, name, type, shape)])
  }
  const dataStart = Math.ceil(cursor.offset / alignment) * alignment
  const tensors = new Map<string, TensorEntry>()
  for (const [name, type, shape, relative, bytes] of found) {
    if (tensors.has(name)) throw cursor.bad(`tensor ${name} comes twice`)
    const offset = dataStart + relative
    if (relative % alignment !== 0) throw cursor.bad(`tensor ${name} is not aligned to ${alignment} bytes`)
    if (offset + bytes > cursor.file.size) {
      throw cursor.bad(`tensor ${name} ends at byte ${offset + bytes} of ${cursor.file.size}: the file is cut short`)
    }
    tensors.set(name, { file: cursor.file, type, shape, offset, bytes })
  }
  return tensors
}

function tensorBytes(cursor: GgufCursor, name: string, type: string, shape: number[]): number {
  const format = numberFormat(type, name, cursor.file.path)
  const count = elementCount(shape)
  if (count === undefined) throw cursor.bad(`tensor ${name} has the absurd shape [${shape.join(', ')}]`)
  if ((shape.at(-1) ?? 1) % format.blockElements !== 0) {
    throw cursor.bad(`rows of tensor ${name} [${shape.join(', ')}] are not whole ${type} blocks`)
  }
  return (count / format.blockElements) * format.blockBytes
}
