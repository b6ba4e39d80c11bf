/**
 * The step port, between the engine's loop (who runs when, which blocks) and a model on a backend (the mathematics).
 * @module
 */
import type { KvPool } from '../kv/pool.ts'
import type { DecoderConfig } from './load/source.ts'

/** Rows whose vectors are given instead of looked up: what an encoder made of a picture, at its placeholders' places. */
export interface GivenRows {
  /** Index in the chunk's `tokens` of the first of them. */
  at: number
  /** [rows, hiddenSize] */
  vectors: Float32Array
}

/** A run of consecutive tokens of one sequence. Their K and V are written to the pool; earlier positions are read from it. */
export interface Chunk {
  tokens: ArrayLike<number>
  /** Rows that take these vectors. Their tokens are not looked up, but must be of the vocabulary all the same. */
  given?: readonly GivenRows[]
  /** Position of `tokens[0]`. */
  start: number
  /** Pool blocks of the sequence in order; covers positions 0 .. start + tokens.length - 1. */
  table: ArrayLike<number>
  /** Which rows' logits are wanted. */
  logits: 'none' | 'last' | 'all'
  /** True: tokens that were generated, now or before (a replay); else they are a prompt's. */
  generated?: boolean
}

/** How well a Forward keeps to the times of another machine. */
export interface PaceStats {
  steps: number
  /** Steps that this machine could not compute in the time they should have taken, and by how much together. */
  late: number
  lateMs: number
}

export interface Forward {
  readonly config: DecoderConfig
  readonly backend: string
  /** Backend, dtype and kernel version: this model's part of the numerics id. */
  readonly numerics: string
  /**
   * True: a row's bits depend on its own sequence alone, so chunks of several sequences, and prefill with decode, may
   * share a step. False: the loop gives every prefill chunk a step of its own, on a grid fixed from position 0; chunks
   * of one token each still share a step, so their bits must not depend on each other.
   */
  readonly batchInvariant: boolean
  /**
   * True: generated tokens may come several at a step, so that a replay is quick, although `batchInvariant` is false.
   */
  readonly replayInvariant?: boolean
  /** One step over all chunks. Answers one [rows * vocab] array a chunk (rows: 0, 1 or tokens.length). */
  run(chunks: readonly Chunk[], pool: KvPool): Promise<Float32Array[]>
  /** Bytes the backend holds now, and live tensors (tests watch both). */
  memory(): { bytes: number; tensors: number }
  /** Held to another machine's times (paced.ts): how well that went. */
  pace?(): PaceStats
  dispose(): void
}
