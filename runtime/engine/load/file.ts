/**
 * A file read by ranges: nothing is held but a descriptor, so models larger than memory buffers allow can be opened.
 * Knows nothing of formats.
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { VolleyError } from '../../errors.ts'

/** Most bytes asked of the system at once: some refuse 2 GiB and more. */
const READ_LIMIT = 1 << 30

/** An open file of known size. Close it when done. */
export class ByteFile {
  readonly path: string
  /** Bytes when it was opened. */
  readonly size: number
  #fd: number | undefined

  /** Errors: `model_file_missing` (absent or not readable), `model_file_invalid` (not a plain file). */
  constructor(path: string) {
    this.path = path
    try {
      this.#fd = openSync(path, 'r')
    } catch (cause) {
      throw new VolleyError('model_file_missing', `Cannot open ${path}: ${(cause as Error).message}`, {
        remedy: 'check the path and that this user may read it.',
        param: path,
        cause,
      })
    }
    const stat = fstatSync(this.#fd)
    this.size = stat.size
    if (!stat.isFile()) {
      this.close()
      throw new VolleyError('model_file_invalid', `${path} is not a plain file`, {
        remedy: 'give a GGUF file, or a directory with config.json and *.safetensors.',
        param: path,
      })
    }
  }

  /** `length` bytes from `offset`, a fresh array. Errors: `model_file_invalid` when the file ends before. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    if (offset + length > this.size) throw this.#short(offset + length)
    const bytes = new Uint8Array(length)
    this.readInto(bytes, offset)
    return bytes
  }

  /** Fills `target` from `offset`. Errors: `model_file_invalid` when the file ends before. */
  readInto(target: Uint8Array, offset: number): void {
    if (this.#fd === undefined) throw new VolleyError('internal', `${this.path} was read after it was closed`)
    if (offset + target.length > this.size) throw this.#short(offset + target.length)
    for (let done = 0; done < target.length;) {
      const got = readSync(this.#fd, target, done, Math.min(target.length - done, READ_LIMIT), offset + done)
      if (got === 0) throw this.#short(offset + target.length)
      done += got
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #short(wanted: number): VolleyError {
    return new VolleyError(
      'model_file_invalid',
      `${this.path} is cut short: byte ${wanted} of ${this.size} is needed`,
      {
        remedy: 'download it again and compare its checksum.',
        param: this.path,
      },
    )
  }
}
