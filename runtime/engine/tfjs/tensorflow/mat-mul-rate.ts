/**
 * Run as a program with a model's path and a number of rows: how fast the library multiplies, without anything around
 * it, in the shapes of that model's layers. Writes one JSON line, in gigaflops a second. What a prefill is held against.
 * @module
 */
import process from 'node:process'
import * as tf from '@tensorflow/tfjs-core'
import { openModel } from '../../load/mod.ts'
import { loadTensorflow } from './load.ts'
import { withOps } from './raw.ts'

/** What the program writes. */
export interface MatMulRate {
  gigaflops: number
  /** Multiplications and additions that one prompt token costs in products with weights, in all layers. */
  flopsPerToken: number
}

const RUNS = 9

function measure(path: string, rows: number): MatMulRate {
  loadTensorflow()
  const source = openModel(path)
  const { hiddenSize: hidden, intermediateSize: inter, heads, kvHeads, headDim, layers } = source.config
  source.close()
  const shapes = [
    [hidden, heads * headDim], [hidden, kvHeads * headDim], [hidden, kvHeads * headDim], [heads * headDim, hidden],
    [hidden, inter], [hidden, inter], [inter, hidden],
  ] as const
  // Weights of several layers, as in a step: those of one would stay in the processor's cache.
  const weights = Array.from({ length: Math.min(layers, 8) }, () => shapes.map((shape) => tf.randomNormal([...shape])))
  const inputs = new Map([hidden, heads * headDim, inter].map((size) => [size, tf.randomNormal([rows, size])]))
  const layer = (own: tf.Tensor[]): void =>
    withOps(({ of, matMul, free }) => own.forEach((weight) => free(matMul(of(inputs.get(weight.shape[0] ?? 0) as tf.Tensor), of(weight)))))
  const flopsPerRow = shapes.reduce((sum, [inner, out]) => sum + 2 * inner * out, 0)
  weights.forEach(layer)
  const times = Array.from({ length: RUNS }, () => {
    const startedMs = performance.now()
    weights.forEach(layer)
    return performance.now() - startedMs
  })
  const medianMs = times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] as number
  return { gigaflops: (flopsPerRow * rows * weights.length) / medianMs / 1e6, flopsPerToken: flopsPerRow * layers }
}

const [path = '', rows = ''] = process.argv.slice(2)
process.stdout.write(`${JSON.stringify(measure(path, Number(rows)))}\n`)
