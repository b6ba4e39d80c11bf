/**
 * A Forward held to another machine's times: the same bits, but no step ends before a cost law says it would there. For
 * trying how a cluster of such machines behaves, with real processes and a small model. Knows the step port alone.
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import type { JsonObject } from '../json.ts'
import type { Chunk, Forward, PaceStats } from './forward.ts'
import type { ImageEncoder } from './vision/encoder.ts'

/** Times of a step, ms: base + token x + pair ((k + x)² - k²) over prompt chunks + resident tokens and sequences that decode. */
export interface Pace extends JsonObject {
  baseMs: number
  perTokenMs: number
  perPairMs: number
  perResidentMs: number
  perSequenceMs: number
  /** Of an encoder, each tile; left out = as fast as it goes. */
  perTileMs?: number
}

/** Time that a step of these chunks takes by the law, ms. A replay is computed like a prompt. */
export function stepMs(pace: Pace, chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { tokens: { length }, start, generated }) => {
    if (generated === true && length === 1) return sum + pace.perSequenceMs + pace.perResidentMs * (start + 1)
    return sum + pace.perTokenMs * length + pace.perPairMs * length * (2 * start + length)
  }, pace.baseMs)
}

/** The same model at another's pace. Its steps end on time to within what timers keep, or late if they must. */
export function paced(forward: Forward, pace: Pace): Forward {
  const stats: PaceStats = { steps: 0, late: 0, lateMs: 0 }
  return {
    config: forward.config,
    backend: forward.backend,
    numerics: forward.numerics,
    batchInvariant: forward.batchInvariant,
    ...(forward.replayInvariant === undefined ? {} : { replayInvariant: forward.replayInvariant }),
    async run(chunks, pool) {
      const endMs = performance.now() + stepMs(pace, chunks)
      const results = await forward.run(chunks, pool)
      const leftMs = endMs - performance.now()
      stats.steps++
      if (leftMs < 0) {
        stats.late++
        stats.lateMs -= leftMs
      } else await setTimeout(leftMs)
      return results
    },
    memory: () => forward.memory(),
    pace: () => stats,
    dispose: () => forward.dispose(),
  }
}

/** The same encoder at another's pace. */
export function pacedEncoder(encoder: ImageEncoder, { perTileMs = 0 }: Pace): ImageEncoder {
  const { config, backend, numerics, tileTokens, together } = encoder
  const { imageSize } = config
  return {
    config, backend, numerics, tileTokens, together,
    async encode(pixels) {
      const endMs = performance.now() + (pixels.length / (3 * imageSize * imageSize)) * perTileMs
      const vectors = await encoder.encode(pixels)
      const leftMs = endMs - performance.now()
      if (leftMs > 0) await setTimeout(leftMs)
      return vectors
    },
    memory: () => encoder.memory(),
    dispose: () => encoder.dispose(),
  }
}
