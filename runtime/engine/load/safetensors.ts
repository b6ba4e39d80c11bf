/**
 * The safetensors container: a JSON header, then raw tensors. One file or several, as `model.safetensors.index.json`
 * lists them. Knows nothing of architectures.
 * Format: https://github.com/huggingface/safetensors
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { VolleyError } from '../../errors.ts'
import { ByteFile } from './file.ts'
import { fields, readJson } from './json-file.ts'
import { elementCount, numberFormat, type TensorEntry } from './tensor.ts'

/** Largest header the reference implementation accepts. */
const HEADER_BYTES = 100_000_000

/**
 * Opens every weight file of a Hugging Face directory. The caller closes `files`.
 * Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported` (number format, PyTorch pickles).
 */
export function openSafetensors(directory: string): { files: ByteFile[]; tensors: Map<string, TensorEntry> } {
  const tensors = new Map<string, TensorEntry>()
  const files: ByteFile[] = []
  try {
    for (const name of weightFiles(directory)) {
      const file = new ByteFile(join(directory, name))
      files.push(file)
      readHeader(file, tensors)
    }
  } catch (error) {
    for (const file of files) file.close()
    throw error
  }
  return { files, tensors }
}

function weightFiles(directory: string): string[] {
  const index = join(directory, 'model.safetensors.index.json')
  if (existsSync(index)) {
    const names = [...new Set(Object.values(fields(readJson(index)['weight_map'])))].sort()
    for (const name of names) {
      if (typeof name !== 'string' || name !== basename(name)) {
        throw invalid(index, 'its weight_map names no plain files')
      }
    }
    if (names.length > 0) return names as string[]
    throw invalid(index, 'its weight_map is empty')
  }
  const names = readdirSync(directory).sort()
  const found = names.includes('model.safetensors')
    ? ['model.safetensors']
    : names.filter((n) => n.endsWith('.safetensors'))
  if (found.length > 0) return found
  if (names.some((name) => /^pytorch_model.*\.bin$/.test(name))) {
    throw new VolleyError('model_unsupported', `${directory} has PyTorch pickles only`, {
      remedy: 'load it with transformers and call save_pretrained(path): that writes safetensors.',
      param: directory,
    })
  }
  throw new VolleyError('model_file_missing', `${directory} has a config.json but no *.safetensors`, {
    remedy: 'download the weights too, or give a GGUF file.',
    param: directory,
  })
}

function readHeader(file: ByteFile, into: Map<string, TensorEntry>): void {
  if (file.size < 8) throw invalid(file.path, `it has only ${file.size} bytes`)
  const length = new DataView(file.read(0, 8).buffer).getBigUint64(0, true)
  if (length > BigInt(Math.min(HEADER_BYTES, file.size - 8))) {
    throw invalid(file.path, `its header of ${length} bytes does not fit in ${file.size} bytes`)
  }
  const dataStart = 8 + Number(length)
  let header: unknown
  try {
    header = JSON.parse(Buffer.from(file.read(8, Number(length))).toString('utf8'))
  } catch (cause) {
    throw invalid(file.path, `its header is not JSON (${(cause as Error).message})`)
  }
  for (const [name, value] of Object.entries(fields(header))) {
    if (name === '__metadata__') continue
    if (into.has(name)) throw invalid(file.path, `tensor ${name} is in two files`)
    into.set(name, readEntry(file, name, fields(value), dataStart))
  }
}

function readEntry(file: ByteFile, name: string, value: Record<string, unknown>, dataStart: number): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string' || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw invalid(file.path, `the entry of tensor ${name} is malformed`)
  }
  const [begin, end] = offsets as [number, number]
  const count = elementCount(shape)
  if (count === undefined) throw invalid(file.path, `tensor ${name} has the absurd shape [${shape.join(', ')}]`)
  if (begin > end || dataStart + end > file.size) {
    throw invalid(file.path, `tensor ${name} ends at byte ${dataStart + end} of ${file.size}: the file is cut short`)
  }
  const format = numberFormat(dtype, name, file.path)
  if (count * format.blockBytes !== (end - begin) * format.blockElements) {
    throw invalid(file.path, `tensor ${name} has ${end - begin} bytes for ${count} numbers of type ${dtype}`)
  }
  return { file, type: dtype, shape, offset: dataStart + begin, bytes: end - begin }
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)

function invalid(path: string, why: string): VolleyError {
  return new VolleyError('model_file_invalid', `${path} is not a sound safetensors file: ${why}`, {
    remedy: 'download it again and compare its checksum.',
    param: path,
  })
}
