/**
 * Buffers that kernels fill and hand to the backend again and again: fresh ones cost their zeroing and the collector,
 * a tenth of a decode step. One owner, one thread; a buffer is good until its slot is taken again.
 * @module
 */
export class Scratch {
  readonly #buffers = new Map<string, Float32Array>()

  /** `count` floats with whatever they held before. */
  take(slot: string, count: number): Float32Array {
    let buffer = this.#buffers.get(slot)
    if (buffer === undefined || buffer.length < count) {
      buffer = new Float32Array(Math.ceil(count * 1.25))
      this.#buffers.set(slot, buffer)
    }
    return buffer.subarray(0, count)
  }
}
