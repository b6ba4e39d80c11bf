/**
 * How many sequences may share a decode step on libtensorflow without touching each other's bits. Its products take
 * another path for one row than for several (so one row is padded to two), and nothing promises that two and eight rows
 * take the same: it depends on processor, shape and thread count. So it is tried at load time, on the model itself.
 * @module
 */
import { createHash } from 'node:crypto'
import { KvPool } from '../../../kv/pool.ts'
import type { Chunk } from '../../forward.ts'
import type { DecoderConfig } from '../../load/source.ts'

/** Rows that a step has at least. */
export const LEAST_ROWS = 2
/** Batches up to this size are tried; larger ones are cut into parts of it. */
const MOST_ROWS = 8

export type RunStep = (chunks: readonly Chunk[], pool: KvPool) => Promise<Float32Array[]>

/** What was found. */
export interface ProvenRows {
  /** Most one-token chunks whose bits are the same together as alone. */
  together: number
  /** Names the arithmetic: a digest of logits that were computed. Equal where processor and library compute alike. */
  fingerprint: string
}

/** Runs one token each of several sequences, alone and together. */
export async function proveRows(step: RunStep, config: DecoderConfig): Promise<ProvenRows> {
  const shape = { layers: config.layers, kvDim: config.kvHeads * config.headDim, blockTokens: 1 }
  const pool = new KvPool(shape, MOST_ROWS)
  const chunks = Array.from({ length: MOST_ROWS }, (_, i): Chunk => {
    return { tokens: [(i * 7919 + 1) % config.vocabSize], start: 0, table: [i], logits: 'last' }
  })
  const alone: Float32Array[] = []
  for (const chunk of chunks) alone.push(...(await step([chunk], pool)))
  const hash = createHash('sha256')
  for (const logits of alone) hash.update(logits)
  const fingerprint = hash.digest('hex').slice(0, 8)
  let together = 1
  for (let rows = 2; rows <= MOST_ROWS; rows++) {
    const found = await step(chunks.slice(0, rows), pool)
    if (!found.every((logits, i) => sameBits(logits, alone[i] as Float32Array))) break
    together = rows
  }
  return { together, fingerprint }
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bits = ({ buffer, byteOffset, length }: Float32Array) => new Uint32Array(buffer, byteOffset, length)
  const other = bits(b)
  return bits(a).every((value, i) => value === other[i])
}

/** A prompt's chunk in a step of its own, one-token chunks in steps of at most `together`. */
export async function runApart(
  chunks: readonly Chunk[],
  pool: KvPool,
  together: number,
  step: RunStep,
): Promise<Float32Array[]> {
  const results: Float32Array[] = []
  for (let at = 0; at < chunks.length; ) {
    let end = at + 1
    const short = (i: number) => chunks[i]?.tokens.length === 1
    while (short(at) && short(end) && end - at < together) end++
    results.push(...(await step(chunks.slice(at, end), pool)))
    at = end
  }
  return results
}
