/**
 * Runs a decoder's layers over a chunk of a prompt, each as one graph. A chunk of one token, a batch of decodes and
 * whatever else is not a chunk is computed operation by operation: which of the two is a matter of a chunk's size alone, so
 * that its bits never depend on who runs it.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { KvPool } from '../../../kv/pool.ts'
import type { DecoderConfig } from '../../load/source.ts'
import type { Step } from '../step.ts'
import type { LayerWeights } from '../weights.ts'
import { causalMask, readKv } from './attention.ts'
import { CompiledGraph } from './compiled.ts'
import { FIRST_TILE, LAYER_OUTPUTS, layerGraph, layerTensors } from './layer-graph.ts'
import { withOps } from './raw.ts'

/** One layer over one chunk: x [rows, hidden] to y, with the chunk's K and V [rows, kvHeads * headDim]. */
export type RunLayer = (x: tf.Tensor, weights: LayerWeights, layer: number) => { y: tf.Tensor; k: tf.Tensor; v: tf.Tensor }

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

  /** Inside a tidy, which ends with the step; undefined = the step is no chunk of several tokens. */
  chunkOf({ spans, rows }: Step, pool: KvPool, { cos, sin }: { cos: tf.Tensor; sin: tf.Tensor }): RunLayer | undefined {
    const [span, more] = spans
    if (span === undefined || more !== undefined || span.rows < 2) return undefined
    const { start, table } = span
    const { hiddenSize, kvHeads, headDim } = this.#config
    const maskOf = (from: number, to: number): tf.Tensor =>
      tf.tensor4d(causalMask(to - from, start + to), [1, 1, to - from, start + to])
    const tiled = rows > FIRST_TILE
    const masks = tiled ? [maskOf(FIRST_TILE, rows), maskOf(0, FIRST_TILE)] : [maskOf(0, rows)]
    const graph = tiled ? this.#tiled : this.#whole
    return (x, weights, layer) =>
      withOps((ops) => {
        const past = readKv(ops, { pool, layer, table, from: 0, to: start }, kvHeads)
        const sizes = tiled ? [ops.ints(kvHeads, 1, start + FIRST_TILE, headDim)] : []
        const own = [x, cos, sin].map(ops.of)
        const [y, k, v] = ops.graph(graph, [...own, ...past, ...masks.map(ops.of), ...sizes, ...layerTensors(weights).map(ops.of)])
        const kv = [rows, kvHeads * headDim]
        return { y: ops.give(y!, [rows, hiddenSize]), k: ops.give(k!, kv), v: ops.give(v!, kv) }
      })
  }

  dispose(): void {
    this.#whole.dispose()
    this.#tiled.dispose()
  }
}
