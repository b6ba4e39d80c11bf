/**
 * Runs a decoder's layers over a chunk of a prompt, each as one graph. A chunk of one token, a batch of decodes and
 * whatever else is not a chunk is computed operation by operation: which of the two is a matter of a chunk's size alone, so
 * that its bits never depend on who runs it.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { KvPool } from '../../../kv/pool.ts'
import type { DecoderConfig } from '../../load/source.ts'
import type { PoolSlice } from '../kernels/pool-read.ts'
import { readTokens } from '../kernels/pool-read.ts'
import type { Scratch } from '../kernels/scratch.ts'
import type { Step } from '../step.ts'
import type { LayerWeights } from '../weights.ts'
import { causalMask } from './attention.ts'
import { CompiledGraph } from './compiled.ts'
import { FIRST_TILE, LAYER_OUTPUTS, layerGraph, layerTensors } from './layer-graph.ts'
import { withOps } from './raw.ts'

/** What a chunk's layers share. */
export interface PromptChunk {
  cos: tf.Tensor
  sin: tf.Tensor
  /** Of the chunk's tiles, [1, 1, tokens, keys] each. */
  masks: tf.Tensor[]
}

export class PromptLayers {
  readonly #config: DecoderConfig
  readonly #whole: CompiledGraph
  readonly #tiled: CompiledGraph

  /** For all layers of a model, whose matrices are of one shape. Error: `engine_unavailable`. */
  constructor(config: DecoderConfig, layer: LayerWeights) {
    const compiled = (tiled: boolean): CompiledGraph => {
      const { graph, inputs } = layerGraph(config, layer, tiled)
      return new CompiledGraph(graph, inputs, LAYER_OUTPUTS)
    }
    this.#config = config
    this.#whole = compiled(false)
    this.#tiled = compiled(true)
  }

  /** Inside a tidy; undefined = the step is no chunk of several tokens. */
  chunkOf({ spans, rows }: Step, { cos, sin }: { cos: tf.Tensor; sin: tf.Tensor }): PromptChunk | undefined {
    const [span, more] = spans
    if (span === undefined || more !== undefined || span.rows < 2) return undefined
    const maskOf = (from: number, to: number): tf.Tensor =>
      tf.tensor4d(causalMask(to - from, span.start + to), [1, 1, to - from, span.start + to])
    const masks = rows > FIRST_TILE ? [maskOf(FIRST_TILE, rows), maskOf(0, FIRST_TILE)] : [maskOf(0, rows)]
    return { cos, sin, masks }
  }

  /** x [rows, hidden] in and out, with the chunk's K and V [rows, kvHeads * headDim]. */
  run(
    { cos, sin, masks }: PromptChunk,
    x: tf.Tensor,
    weights: LayerWeights,
    at: { step: Step; pool: KvPool; layer: number; scratch: Scratch },
  ): { y: tf.Tensor; k: tf.Tensor; v: tf.Tensor } {
    const { hiddenSize, kvHeads, headDim } = this.#config
    const { start, table } = at.step.spans[0]!
    const slice: PoolSlice = { ...at, table, from: 0, to: start, headDim }
    return withOps((ops) => {
      const past = ([0, 1] as const).map((part) => {
        const floats = new Float32Array(start * kvHeads * headDim)
        readTokens(slice, part, floats)
        return ops.floats(floats, [start, kvHeads, 1, headDim])
      })
      const rows = x.shape[0]!
      const tiled = masks.length > 1
      const sizes = tiled ? [ops.ints(kvHeads, 1, start + FIRST_TILE, headDim)] : []
      const given = [...[x, cos, sin].map(ops.of), ...past, ...masks.map(ops.of), ...sizes]
      const [y, k, v] = ops.graph(tiled ? this.#tiled : this.#whole, [...given, ...layerTensors(weights).map(ops.of)])
      const kv = [rows, kvHeads * headDim]
      return { y: ops.give(y!, [rows, hiddenSize]), k: ops.give(k!, kv), v: ops.give(v!, kv) }
    })
  }

  dispose(): void {
    this.#whole.dispose()
    this.#tiled.dispose()
  }
}
