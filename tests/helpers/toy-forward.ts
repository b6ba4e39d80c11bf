/**
 * A tiny deterministic model in plain JavaScript that truly reads and writes the paged cache: a wrong block table, a
 * missed copy or a stale block changes its tokens. Cheap enough for thousands of steps.
 * @module
 */
import type { Chunk, Forward } from '../../runtime/engine/forward.ts'
import type { DecoderConfig } from '../../runtime/engine/load/source.ts'
import type { KvPool } from '../../runtime/kv/pool.ts'

export interface ToyOptions {
  /** @default {true}; false: bits depend on how a prompt was cut, as with a library that picks kernels by shape. */
  batchInvariant?: boolean
  /** @default {96} */
  vocabSize?: number
  /** @default {512} */
  contextLength?: number
  /** Name of the arithmetic; other names give other tokens. @default {'toy'} */
  numerics?: string
  /** Milliseconds each step takes, asleep. @default {0} */
  stepMs?: number
  /** Throws when a chunk holds this token. */
  poison?: number
  /** Answers NaN for chunks that hold this token. */
  nan?: number
  /** Ends the thread when a chunk holds this token. */
  deadly?: number
}

/** What a test may do to the toy on its own thread. */
export interface ToyHooks {
  /** Called, and awaited, in the middle of each step: chunks are chosen, nothing is computed yet. */
  during?: () => unknown
}

/** The toy, with a record of what it was asked. */
export interface ToyForward extends Forward {
  /** Rows of each chunk of each step. */
  readonly steps: { start: number; rows: number }[][]
}

const LAYERS = 2
const KV_DIM = 8
/** Length of the vectors that the toy may be given. */
export const TOY_HIDDEN = KV_DIM

/** A fixed number in (-1, 1) for any three integers. */
function mix(a: number, b: number, c: number): number {
  let h = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca77) ^ Math.imul(c + 13, 0xc2b2ae3d)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39)
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 31 - 1
}

export function toyForward(options: ToyOptions & ToyHooks = {}): ToyForward {
  const { batchInvariant = true, vocabSize = 96, contextLength = 512, numerics = 'toy', stepMs = 0 } = options
  const salt = [...numerics].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 0) % 1000
  const steps: ToyForward['steps'] = []
  let disposed = false

  /** What a row begins with: given, or its token's. */
  function vectorOf({ tokens, given = [] }: Chunk, row: number): number[] {
    for (const { at, vectors } of given) {
      const from = (row - at) * KV_DIM
      if (from >= 0 && from < vectors.length) return [...vectors.subarray(from, from + KV_DIM)]
    }
    return Array.from({ length: KV_DIM }, (_, d) => mix(tokens[row]!, d, salt))
  }

  /** One row: reads every earlier position through the table, writes its own K and V. */
  function row(from: number[], position: number, table: ArrayLike<number>, pool: KvPool, cut: number): Float32Array {
    const { blockTokens } = pool.shape
    let x = from
    for (let layer = 0; layer < LAYERS; layer++) {
      const at = (p: number, part: 0 | 1) =>
        pool.offset(table[Math.floor(p / blockTokens)]!, layer, part, p % blockTokens)
      const [k, v] = [at(position, 0), at(position, 1)]
      for (let d = 0; d < KV_DIM; d++) {
        pool.data[k + d] = x[d]! * mix(d, layer, 1) + x[(d + 3) % KV_DIM]! + position * 1e-3 + cut
        pool.data[v + d] = x[d]! * mix(d, layer, 2) - x[(d + 1) % KV_DIM]!
      }
      const out = new Array<number>(KV_DIM).fill(0)
      let mass = 0
      for (let p = 0; p <= position; p++) {
        const [kp, vp] = [at(p, 0), at(p, 1)]
        let score = 0
        for (let d = 0; d < KV_DIM; d++) score += x[d]! * pool.data[kp + d]!
        const weight = 1 / (1 + score * score)
        mass += weight
        for (let d = 0; d < KV_DIM; d++) out[d]! += weight * pool.data[vp + d]!
      }
      x = x.map((value, d) => 0.5 * value + (2 * out[d]!) / mass)
    }
    const logits = new Float32Array(vocabSize)
    for (let id = 0; id < vocabSize; id++) {
      for (let d = 0; d < KV_DIM; d++) logits[id]! += 3 * x[d]! * mix(id, d, 500)
    }
    return logits
  }

  function compute(chunk: Chunk, pool: KvPool): Float32Array {
    const rows = chunk.tokens.length
    // A variant whose arithmetic depends on the cut: a chunk of several rows is not the same as the rows one by one.
    const cut = batchInvariant || rows === 1 ? 0 : mix(chunk.start, rows, 77) * 0.1
    const all: Float32Array[] = []
    for (let i = 0; i < rows; i++) all.push(row(vectorOf(chunk, i), chunk.start + i, chunk.table, pool, cut))
    if (chunk.logits === 'none') return new Float32Array(0)
    const wanted = chunk.logits === 'all' ? all : all.slice(-1)
    const answer = new Float32Array(wanted.length * vocabSize)
    wanted.forEach((logits, i) => answer.set(logits, i * vocabSize))
    return Array.from(chunk.tokens).includes(options.nan ?? -1) ? answer.fill(NaN) : answer
  }

  const config: DecoderConfig = {
    family: 'llama',
    vocabSize,
    hiddenSize: KV_DIM,
    intermediateSize: KV_DIM,
    layers: LAYERS,
    heads: 1,
    kvHeads: 1,
    headDim: KV_DIM,
    rmsNormEps: 1e-5,
    contextLength,
    ropeTheta: 10_000,
    ropeScaling: undefined,
    slidingWindow: [undefined, undefined],
    tiedEmbeddings: true,
    bosToken: undefined,
    endTokens: [0],
  }
  return {
    config,
    backend: 'toy',
    numerics,
    batchInvariant,
    steps,
    async run(chunks, pool) {
      if (disposed) throw new Error('the toy was disposed')
      steps.push(chunks.map(({ start, tokens }) => ({ start, rows: tokens.length })))
      if (!batchInvariant && chunks.length > 1 && chunks.some(({ tokens }) => tokens.length > 1)) {
        throw new Error('a chunk of several rows must have a step of its own')
      }
      const tokens = chunks.flatMap((chunk) => Array.from(chunk.tokens))
      if (tokens.includes(options.deadly ?? -1)) process.exit(3)
      if (tokens.includes(options.poison ?? -1)) throw new Error('the toy was poisoned')
      // As a real backend, it has read the tables before it writes by them.
      const taken = chunks.map((chunk) => ({ ...chunk, table: Array.from(chunk.table) }))
      await options.during?.()
      if (stepMs > 0) await new Promise((resolve) => setTimeout(resolve, stepMs))
      return taken.map((chunk) => compute(chunk, pool))
    },
    memory: () => ({ bytes: 0, tensors: 0 }),
    dispose: () => void (disposed = true),
  }
}
