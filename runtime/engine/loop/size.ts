/**
 * How large an engine is: block, chunk and batch sizes, and how much memory the cache takes when nobody says.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import { blockFloats, type KvShape } from '../../kv/pool.ts'
import type { DecoderConfig } from '../load/source.ts'

/** Sizes a user may set; each has a default. */
export interface EngineSizes {
  /**
   * Longest sequence, prompt and output together; never more than the model's or than the cache can hold.
   *
   * @default the model's
   */
  contextLength?: number
  /**
   * Most choices decoded at once.
   *
   * @default {8}
   */
  maxBatch?: number
  /**
   * Tokens of a KV block.
   *
   * @default {16}
   */
  blockTokens?: number
  /**
   * Memory of the KV cache.
   *
   * @default room for maxBatch sequences of full length, but at most 512 MiB
   */
  kvBytes?: number
  /** Size of the KV cache in blocks; goes before `kvBytes`. */
  blocksTotal?: number
  /**
   * Tokens of a prefill chunk; chunks lie on this grid from position 0. A multiple of `blockTokens`. Part of the
   * numerics where bits depend on it.
   *
   * @default {256}
   */
  chunkTokens?: number
  /**
   * How long a step with decodes in it may take for the sake of prefills in the same step, where the two can share
   * one. Prefill then advances by fewer tokens a step.
   *
   * @default {100}
   */
  mixedStepMs?: number
}

/** All sizes, decided. */
export interface Sizes {
  contextLength: number
  maxBatch: number
  blocksTotal: number
  chunkTokens: number
  mixedStepMs: number
  shape: KvShape
  blockBytes: number
}

const DEFAULT_KV_BYTES = 512 * 1024 * 1024

/** Fills in what is not set. Error: `invalid_config`. */
export function decideSizes(model: DecoderConfig, options: EngineSizes): Sizes {
  const { maxBatch = 8, blockTokens = 16, chunkTokens = 256, mixedStepMs = 100 } = options
  const wanted = options.contextLength ?? model.contextLength
  positive({ maxBatch, blockTokens, chunkTokens, contextLength: wanted })
  if (chunkTokens % blockTokens !== 0) {
    const problem = `chunkTokens (${chunkTokens}) must be a multiple of blockTokens (${blockTokens})`
    throw new VolleyError('invalid_config', problem, { param: 'chunkTokens' })
  }
  const shape = { layers: model.layers, kvDim: model.kvHeads * model.headDim, blockTokens }
  const blockBytes = blockFloats(shape) * Float32Array.BYTES_PER_ELEMENT
  const longest = Math.min(wanted, model.contextLength)
  const sequence = Math.ceil(longest / blockTokens) + 1
  const kvBytes = options.kvBytes ?? Math.min(maxBatch * sequence * blockBytes, DEFAULT_KV_BYTES)
  const blocksTotal = options.blocksTotal ?? Math.floor(kvBytes / blockBytes)
  if (!(blocksTotal >= 2)) {
    throw new VolleyError('invalid_config', `A KV cache of ${blocksTotal} blocks holds no sequence`, {
      remedy: `Give it at least ${2 * blockBytes} bytes.`,
      param: 'kvBytes',
    })
  }
  // One block is left for the copy that a decode makes of a hold's partial last block.
  const contextLength = Math.min(longest, (blocksTotal - 1) * blockTokens)
  return { contextLength, maxBatch, blocksTotal, chunkTokens, mixedStepMs, shape, blockBytes }
}

function positive(sizes: Record<string, number>): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < 1) {
      const problem = `${name} must be a whole number of at least 1, not ${value}`
      throw new VolleyError('invalid_config', problem, { param: name })
    }
  }
}
