/**
 * Run as a program with a package's folder: loads the binding there and compares it with plain JavaScript, one case of
 * each kind of operation that the model uses, an update in place, and a graph. Writes one JSON line; exit code 0 = all equal.
 * @module
 */
import process from 'node:process'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import type { Rates } from '../../native/record.ts'
import { CompiledGraph } from './compiled.ts'
import { FLOAT, GraphDef, INT32 } from './graph-def.ts'
import { loadTensorflow, nativeBackend } from './load.ts'
import { withOps } from './raw.ts'

/** What the program writes. */
export interface SelfTest {
  /** Version of libtensorflow. */
  library: string
  device: 'cpu' | 'gpu'
  /** Operations compared. */
  cases: number
  /** What differs; empty = all is well. */
  wrong: string[]
  rates: Rates
}

const TOLERANCE = 1e-4

const wave = (...shape: number[]): tf.Tensor => {
  const size = shape.reduce((product, side) => product * side, 1)
  return tf.tensor(Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7) * 1.5), shape)
}

/** Makes its own tensors, so that each backend computes from its own. */
const CASES: Record<string, () => tf.Tensor> = {
  matMul: () => tf.matMul(wave(33, 64) as tf.Tensor2D, wave(64, 48) as tf.Tensor2D),
  'matMul of one row': () => tf.matMul(wave(1, 64) as tf.Tensor2D, wave(64, 48) as tf.Tensor2D),
  'batched matMul': () => tf.matMul(wave(3, 20, 16), wave(3, 16, 20)),
  'matMul, second transposed': () => tf.matMul(wave(3, 20, 16), wave(3, 20, 16), false, true),
  add: () => tf.add(wave(5, 4, 8), wave(5, 1, 8)),
  sub: () => tf.sub(wave(5, 8), wave(5, 1)),
  mul: () => tf.mul(wave(5, 4, 8), wave(8)),
  div: () => tf.div(wave(5, 8), tf.add(tf.square(wave(5, 1)), 1)),
  mean: () => tf.mean(tf.square(wave(5, 64)), -1, true),
  max: () => tf.max(wave(5, 64), 1, true),
  sum: () => tf.sum(wave(5, 64), 1, true),
  rsqrt: () => tf.rsqrt(tf.add(tf.square(wave(5, 8)), 1e-5)),
  exp: () => tf.exp(wave(5, 8)),
  sigmoid: () => tf.sigmoid(wave(5, 8)),
  softmax: () => tf.softmax(wave(5, 64)),
  gather: () => tf.gather(wave(9, 8), tf.tensor1d([7, 0, 3], 'int32')),
  slice: () => tf.slice(wave(9, 8), [2, 1], [4, 5]),
  concat: () => tf.concat([wave(3, 8), wave(2, 8)], 0),
  transpose: () => tf.transpose(wave(3, 4, 5), [1, 0, 2]),
  reshape: () => tf.reshape(wave(6, 8), [2, 3, 8]),
}

async function valuesOn(backend: string, make: () => tf.Tensor): Promise<Float32Array> {
  await tf.setBackend(backend)
  return tf.tidy(() => make().dataSync<'float32'>().slice())
}

async function compare(name: string, make: () => tf.Tensor): Promise<string[]> {
  try {
    const found = await valuesOn('tensorflow', make)
    const expected = await valuesOn('cpu', make)
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? NaN))), 0)
    return worst < TOLERANCE ? [] : [`${name} is off by ${worst}`]
  } catch (error) {
    return [`${name} fails: ${error instanceof Error ? error.message : String(error)}`]
  }
}

/** Writes rows into a tensor and reads them back through the tensor itself: what a cache on the device is built on. */
async function updatesInPlace(): Promise<string[]> {
  await tf.setBackend('tensorflow')
  const { binding } = nativeBackend()
  const cache = tf.zeros([4, 3])
  const type = { name: 'T', type: binding.TF_ATTR_TYPE, value: 1 }
  nativeBackend().executeSingleOutput('InplaceUpdate', [type], [cache, tf.tensor1d([2], 'int32'), tf.tensor2d([[1, 2, 3]])])
  const [found, expected] = [[...cache.dataSync()].join(), '0,0,0,0,0,0,1,2,3,0,0,0']
  return found === expected ? [] : [`an update in place gives ${found}`]
}

/** A graph out of a file: a swap of halves and a product, as a prompt's layers are computed. */
function runsGraphs(): string[] {
  const graph = new GraphDef()
  const [x, y] = [graph.placeholder('x', [-1, 4]), graph.placeholder('y', [4, 2])]
  const types = { T: { type: FLOAT }, Tshift: { type: INT32 }, Taxis: { type: INT32 } }
  graph.op('MatMul', [graph.op('Roll', [x, graph.int(2), graph.int(1)], types), y], { T: { type: FLOAT } }, 'product')
  const compiled = new CompiledGraph(graph, ['x', 'y'], ['product'])
  const found = withOps((ops) => {
    const inputs = [ops.floats(Float32Array.of(1, 2, 3, 4), [1, 4]), ops.floats(Float32Array.of(1, 0, 0, 1, 0, 0, 1, 1), [4, 2])]
    return [...ops.give(ops.graph(compiled, inputs)[0]!, [1, 2]).dataSync()].join()
  })
  compiled.dispose()
  return found === '5,6' ? [] : [`a graph gives ${found}`]
}

const [ROWS, INNER, OUT, RUNS] = [256, 576, 1536, 7]

/** Gigaflops of a product in a small model's shape, the best of some. */
async function rateOn(backend: string): Promise<number> {
  await tf.setBackend(backend)
  return tf.tidy(() => {
    const [x, weight] = [wave(ROWS, INNER) as tf.Tensor2D, wave(INNER, OUT) as tf.Tensor2D]
    const times = Array.from({ length: RUNS }, () => {
      const startedMs = performance.now()
      // Read: some backends only note down what is to be computed.
      tf.sum(tf.matMul(x, weight)).dataSync()
      return performance.now() - startedMs
    })
    return Math.round((2 * ROWS * INNER * OUT) / Math.min(...times) / 1e6)
  })
}

async function selfTest(folder: string | undefined): Promise<SelfTest> {
  loadTensorflow(folder)
  const wrong: string[] = []
  for (const [name, make] of Object.entries(CASES)) wrong.push(...(await compare(name, make)))
  wrong.push(...(await updatesInPlace()), ...runsGraphs())
  const { binding, isUsingGpuDevice } = nativeBackend()
  const cases = Object.keys(CASES).length + 2
  const rates = { tensorflow: await rateOn('tensorflow'), wasm: await rateOn('wasm') }
  return { library: binding.TF_Version, device: isUsingGpuDevice ? 'gpu' : 'cpu', cases, wrong, rates }
}

try {
  const result = await selfTest(process.argv[2])
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exitCode = result.wrong.length === 0 ? 0 : 1
} catch (error) {
  const why = error instanceof Error ? error.message : String(error)
  process.stdout.write(`${JSON.stringify({ wrong: [why] })}\n`)
  process.exitCode = 1
}
