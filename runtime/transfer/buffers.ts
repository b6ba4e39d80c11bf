/**
 * Memory that pulls write into, kept for the next pull: the first touch of fresh pages costs more than a socket does.
 * Shared memory, so that an engine's thread can read it without a copy.
 * @module
 */
import type { Clock } from '../clock.ts'

/** Sizes are rounded up to this, so that a buffer serves the next one of about its size. */
const GRAIN_BYTES = 1 << 20
const MAX_IDLE_BYTES = 256 << 20
const IDLE_MS = 30_000

export class Buffers {
  readonly #clock: Clock
  readonly #idle = new Set<SharedArrayBuffer>()
  #cancelDrop = (): void => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Memory for exactly so many bytes; what it held before may still be in it. */
  take(bytes: number): Uint8Array {
    let best: SharedArrayBuffer | undefined
    for (const buffer of this.#idle) {
      const fits = buffer.byteLength >= bytes && buffer.byteLength <= 2 * bytes + GRAIN_BYTES
      if (fits && (!best || buffer.byteLength < best.byteLength)) best = buffer
    }
    if (best) this.#idle.delete(best)
    const size = Math.max(1, Math.ceil(bytes / GRAIN_BYTES)) * GRAIN_BYTES
    return new Uint8Array(best ?? new SharedArrayBuffer(size), 0, bytes)
  }

  give({ buffer }: Uint8Array): void {
    if (!(buffer instanceof SharedArrayBuffer) || this.idleBytes + buffer.byteLength > MAX_IDLE_BYTES) return
    this.#idle.add(buffer)
    this.#cancelDrop()
    this.#cancelDrop = this.#clock.setTimer(IDLE_MS, () => this.#idle.clear())
  }

  get idleBytes(): number {
    return [...this.#idle].reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  close(): void {
    this.#cancelDrop()
    this.#idle.clear()
  }
}
