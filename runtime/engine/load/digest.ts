/**
 * A cheap name for weights: their configuration, the tables of tensors and samples of every tensor's bytes. It does not
 * depend on where the file lies or when it was written; two models that differ in training differ in every tensor.
 * @module
 */
import { createHash } from 'node:crypto'
import type { DecoderConfig, VisionConfig } from './source.ts'
import type { TensorTable } from './tensor.ts'

/** Bytes sampled at the start, middle and end of each tensor. */
const SAMPLE_BYTES = 256

/** 32 hex characters. Reads some 200 KiB of a model with 300 tensors. */
export function weightsDigest(config: DecoderConfig | VisionConfig, tensors: TensorTable): string {
  const hash = createHash('sha256').update(JSON.stringify(config))
  for (const [name, entry] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, entry.type, entry.shape, entry.bytes]))
    const length = Math.min(SAMPLE_BYTES, entry.bytes)
    for (const at of [0, Math.floor((entry.bytes - length) / 2), entry.bytes - length]) {
      hash.update(entry.file.read(entry.offset + at, length))
    }
  }
  return hash.digest('hex').slice(0, 32)
}
