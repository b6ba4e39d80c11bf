/**
 * Small model files for tests: a GGUF writer, a safetensors writer, temporary directories and the shared data's place.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll } from 'vitest'

/** A directory of its own, gone after the file's tests. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'volley-test-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Path of a file in the shared data, or undefined with one line that says so. */
export function sharedData(path: string): string | undefined {
  const full = resolve(import.meta.dirname, '../../../shared/data', path)
  if (existsSync(full)) return full
  console.log(`skipped: ../shared/data/${path} is not here`)
  return undefined
}

/** Path of SmolLM2-135M-Instruct as GGUF (fetched once into a cache), or undefined with one line that says why. */
export function smollm2File(): string | undefined {
  const script = sharedData('models/smollm2.sh')
  if (script === undefined) return undefined
  try {
    return execFileSync('bash', [script], { encoding: 'utf8', timeout: 50_000 }).trim()
  } catch (error) {
    console.log(`skipped: SmolLM2 could not be fetched (${(error as Error).message.split('\n')[0]})`)
    return undefined
  }
}

/** Writes files into a new directory below `root`; objects become JSON. Answers its path. */
export function writeDirectory(root: string, name: string, files: Record<string, unknown>): string {
  const directory = join(root, name)
  mkdirSync(directory, { recursive: true })
  for (const [file, value] of Object.entries(files)) {
    const raw = typeof value === 'string' || value instanceof Uint8Array
    writeFileSync(join(directory, file), raw ? value : JSON.stringify(value))
  }
  return directory
}

/** A metadata value with its GGUF type. */
export type GgufValue =
  | ['u32' | 'f32', number]
  | ['u64', bigint]
  | ['bool', boolean]
  | ['string', string]
  | ['strings', string[]]
  | ['f32s' | 'i32s', number[]]

/** A tensor to write: `shape` row-major, slowest first; `type` GGML's number. */
export interface GgufTensor {
  name: string
  type: number
  shape: number[]
  data: Uint8Array
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
const f32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

function valueBytes(value: GgufValue): Buffer {
  switch (value[0]) {
    case 'u32':
      return Buffer.concat([u32(4), u32(value[1])])
    case 'f32':
      return Buffer.concat([u32(6), f32(value[1])])
    case 'u64':
      return Buffer.concat([u32(10), u64(value[1])])
    case 'bool':
      return Buffer.concat([u32(7), Buffer.from([value[1] ? 1 : 0])])
    case 'string':
      return Buffer.concat([u32(8), text(value[1])])
    case 'strings':
      return Buffer.concat([u32(9), u32(8), u64(value[1].length), ...value[1].map(text)])
    case 'f32s':
      return Buffer.concat([u32(9), u32(6), u64(value[1].length), ...value[1].map(f32)])
    case 'i32s':
      return Buffer.concat([u32(9), u32(5), u64(value[1].length), ...value[1].map(u32)])
  }
}

/** The bytes of a GGUF file. */
export function ggufBytes(
  metadata: Record<string, GgufValue>,
  tensors: readonly GgufTensor[] = [],
  { version = 3, alignment = 32, counts }: { version?: number; alignment?: number; counts?: [number, number] } = {},
): Buffer {
  const entries = Object.entries(metadata)
  const head = [
    Buffer.from('GGUF'),
    u32(version),
    u64(counts?.[0] ?? tensors.length),
    u64(counts?.[1] ?? entries.length),
  ]
  for (const [key, value] of entries) head.push(text(key), valueBytes(value))
  const padded = (length: number) => Math.ceil(length / alignment) * alignment
  let offset = 0
  const data: Buffer[] = []
  for (const { name, type, shape, data: bytes } of tensors) {
    head.push(text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(type), u64(offset))
    data.push(Buffer.from(bytes), Buffer.alloc(padded(bytes.length) - bytes.length))
    offset += padded(bytes.length)
  }
  const header = Buffer.concat(head)
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length), ...data])
}

/** The bytes of a safetensors file. */
export function safetensorsBytes(
  tensors: Record<string, { dtype: string; shape: number[]; data: Uint8Array }>,
): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let offset = 0
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.length] }
    offset += data.length
  }
  const json = Buffer.from(JSON.stringify(header))
  return Buffer.concat([u64(json.length), json, ...Object.values(tensors).map(({ data }) => data)])
}
