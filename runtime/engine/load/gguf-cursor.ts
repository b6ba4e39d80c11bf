/**
 * Reads a GGUF header's primitives in order, through a small window: a number in the file is never trusted for an
 * allocation before it was held against the file's size.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { ByteFile } from './file.ts'

const WINDOW_BYTES = 256 << 10

/** A position in a file that moves on with each read. All values are little-endian. */
export class GgufCursor {
  readonly file: ByteFile
  #window = new DataView(new ArrayBuffer(0))
  #windowStart = 0
  #offset: number

  constructor(file: ByteFile, offset = 0) {
    this.file = file
    this.#offset = offset
  }

  get offset(): number {
    return this.#offset
  }

  u32(): number {
    const at = this.#take(4)
    return this.#window.getUint32(at, true)
  }

  /** A u64 that counts or measures something. */
  size(): number {
    const at = this.#take(8)
    const value = this.#window.getBigUint64(at, true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.bad(`size ${value} is absurd`)
    return Number(value)
  }

  /** `count` items of at least `itemBytes` bytes must still fit in the file. */
  expect(count: number, itemBytes: number, what: string): void {
    if (count * itemBytes > this.file.size - this.#offset) {
      throw this.bad(`${count} ${what} cannot be in a file of ${this.file.size} bytes: it is cut short or damaged`)
    }
  }

  /** A string of at most `limit` bytes. */
  text(limit: number, what: string): string {
    const length = this.size()
    if (length > limit) throw this.bad(`${what} of ${length} bytes is absurd`)
    this.expect(length, 1, `bytes of a ${what}`)
    const at = this.#take(length)
    return Buffer.from(this.#window.buffer, at, length).toString('utf8')
  }

  /** A scalar whose reader is one of DataView's. */
  scalar<T>(bytes: number, read: (view: DataView, at: number) => T): T {
    const at = this.#take(bytes)
    return read(this.#window, at)
  }

  skip(bytes: number): void {
    this.expect(bytes, 1, 'bytes')
    this.#offset += bytes
  }

  /** The error for what was just read. */
  bad(why: string): VolleyError {
    return new VolleyError('model_file_invalid', `${this.file.path} is not a sound GGUF file: ${why}`, {
      remedy: 'download it again and compare its checksum.',
      param: this.file.path,
    })
  }

  /** Index in the window of the next `bytes` bytes; moves on. */
  #take(bytes: number): number {
    const inside = this.#offset - this.#windowStart
    if (inside < 0 || inside + bytes > this.#window.byteLength) {
      const length = Math.min(Math.max(bytes, WINDOW_BYTES), this.file.size - this.#offset)
      if (length < bytes) throw this.bad(`it ends inside its header, at byte ${this.file.size}`)
      this.#window = new DataView(this.file.read(this.#offset, length).buffer)
      this.#windowStart = this.#offset
    }
    const at = this.#offset - this.#windowStart
    this.#offset += bytes
    return at
  }
}
