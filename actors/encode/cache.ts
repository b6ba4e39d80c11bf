/**
 * Vectors of tiles that were encoded here, the least lately used given up first; and those being made, shared by all who
 * wait for them. Knows names and bytes, nothing of pictures.
 * @module
 */
import { VolleyError } from '../../runtime/errors.ts'

/** Makes the vectors of some of the names asked for, by their places there; in that order. */
export type MakeVectors = (which: readonly number[], signal: AbortSignal) => Promise<Float32Array[]>

/** Made together, for as long as somebody waits. */
interface Batch {
  /** By name. */
  readonly made: Promise<ReadonlyMap<string, Float32Array>>
  readonly abort: AbortController
  waiting: number
}

export class TileCache {
  readonly #limitBytes: number
  /** The least lately used first. */
  readonly #kept = new Map<string, Float32Array>()
  readonly #making = new Map<string, Batch>()
  #bytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many of these need not be computed. */
  count(names: readonly string[]): number {
    return names.filter((name) => this.#kept.has(name) || this.#making.has(name)).length
  }

  /** Vectors by name, in order; what nobody makes yet is made. Errors: `cancelled`, and what `make` throws. */
  async take(names: readonly string[], make: MakeVectors, signal: AbortSignal): Promise<Float32Array[]> {
    const vectors: Float32Array[] = []
    const shares = new Map<Batch, number[]>()
    const missing: number[] = []
    for (const [at, name] of names.entries()) {
      const kept = this.#touch(name)
      const batch = this.#making.get(name)
      if (kept !== undefined) vectors[at] = kept
      else if (batch === undefined) missing.push(at)
      else shares.set(batch, [...(shares.get(batch) ?? []), at])
    }
    const own = async (which: readonly number[]): Promise<void> => {
      const made = await wait(this.#begin(which.map((at) => names[at]!), which, make), signal)
      for (const at of which) vectors[at] = made.get(names[at]!)!
    }
    const borrowed = async (batch: Batch, which: number[]): Promise<void> => {
      const made = await wait(batch, signal).catch((error) => {
        if (signal.aborted) throw error
      })
      // Another request's file may be gone, or its engine call was given up: this one has a ticket of its own.
      if (!made) return await own(which)
      for (const at of which) vectors[at] = made.get(names[at]!)!
    }
    await Promise.all([
      ...(missing.length > 0 ? [own(missing)] : []),
      ...[...shares].map(([batch, which]) => borrowed(batch, which)),
    ])
    return vectors
  }

  #begin(names: readonly string[], which: readonly number[], make: MakeVectors): Batch {
    const abort = new AbortController()
    const made = make(which, abort.signal).then((vectors) => {
      for (const [i, name] of names.entries()) this.#keep(name, vectors[i]!)
      return new Map(names.map((name, i) => [name, vectors[i]!]))
    })
    const batch: Batch = { made, abort, waiting: 0 }
    for (const name of names) this.#making.set(name, batch)
    const over = (): void => {
      for (const name of names) if (this.#making.get(name) === batch) this.#making.delete(name)
    }
    made.then(over, over)
    // Given up: who comes later begins anew.
    abort.signal.addEventListener('abort', over, { once: true })
    return batch
  }

  #touch(name: string): Float32Array | undefined {
    const kept = this.#kept.get(name)
    if (kept === undefined) return undefined
    this.#kept.delete(name)
    this.#kept.set(name, kept)
    return kept
  }

  #keep(name: string, vectors: Float32Array): void {
    const before = this.#kept.get(name)
    if (before !== undefined) this.#drop(name, before)
    if (vectors.byteLength > this.#limitBytes) return
    this.#kept.set(name, vectors)
    this.#bytes += vectors.byteLength
    for (const [oldest, its] of this.#kept) {
      if (this.#bytes <= this.#limitBytes) break
      this.#drop(oldest, its)
    }
  }

  #drop(name: string, { byteLength }: Float32Array): void {
    this.#kept.delete(name)
    this.#bytes -= byteLength
  }
}

/** The batch's outcome, or `cancelled` as soon as the signal fires; the last one to leave ends it. */
async function wait(batch: Batch, signal: AbortSignal): Promise<ReadonlyMap<string, Float32Array>> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(new VolleyError('cancelled', 'The pictures are not wanted any more'))
  batch.waiting++
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([batch.made, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    batch.waiting--
    if (batch.waiting === 0) batch.abort.abort()
  }
}
