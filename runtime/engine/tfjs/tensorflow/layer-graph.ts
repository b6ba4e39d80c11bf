/**
 * One layer of a decoder as one TensorFlow graph, for a chunk of a prompt: the library fuses what it can and runs it
 * without a call a node. Weights and the keys before the chunk are handed in with every run.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { DecoderConfig } from '../../load/source.ts'
import type { LayerWeights } from '../weights.ts'
import { type Attr, FLOAT, GraphDef, INT32, type Ref } from './graph-def.ts'

/** Query tokens of the first tile: what they may not see is not computed. More tiles save little more. */
export const FIRST_TILE = 128

/** Tensors that a run is handed first, in this order; behind them, of two tiles, those of the first. */
const STEP_INPUTS = ['x', 'cos', 'sin', 'pastK', 'pastV', 'mask'] as const
const TILE_INPUTS = ['firstMask', 'firstKeys'] as const
/** y [rows, hidden], K and V of the chunk [rows, kvHeads * headDim]. */
export const LAYER_OUTPUTS = ['y', 'keys', 'values'] as const

const float = { T: { type: FLOAT } }

/** A layer's tensors by the names of the graph's inputs; those that its model has. */
function namedTensors({ q, k, v, o, gate, up, down, qNorm, kNorm }: LayerWeights): [string, tf.Tensor][] {
  const matrices = Object.entries({ q, k, v, o, gate, up, down })
  const all: [string, tf.Tensor | undefined][] = [
    ...matrices.map(([name, { weight }]): [string, tf.Tensor] => [name, weight]),
    ...matrices.map(([name, { bias }]): [string, tf.Tensor | undefined] => [`${name}Bias`, bias]),
    ['qNorm', qNorm],
    ['kNorm', kNorm],
  ]
  return all.filter((entry): entry is [string, tf.Tensor] => entry[1] !== undefined)
}

/** What a run is handed behind the step's own. */
export const layerTensors = (layer: LayerWeights): tf.Tensor[] => namedTensors(layer).map(([, tensor]) => tensor)

/**
 * Inputs: x [rows, hidden]; cos, sin [rows, 1, headDim]; pastK, pastV [past, kvHeads, 1, headDim]; mask [1, 1, rows,
 * past + rows]; the layer's tensors, the norms' weights and the scale of the scores folded into its matrices. `tiled`:
 * for chunks of more than `FIRST_TILE` tokens; `mask` is that of the others then, firstMask [1, 1, FIRST_TILE, past +
 * FIRST_TILE], and firstKeys the shape [kvHeads, 1, past + FIRST_TILE, headDim].
 */
export function layerGraph(
  config: DecoderConfig,
  layer: LayerWeights,
  tiled: boolean,
): { graph: GraphDef; inputs: string[] } {
  const { hiddenSize: hidden, heads, kvHeads, headDim: dim, rmsNormEps: eps } = config
  const group = heads / kvHeads
  const g = new GraphDef()
  const tensors = new Map(namedTensors(layer))
  const weight = (name: string): Ref => g.placeholder(name, tensors.get(name)!.shape)
  const one = (op: string, ...of: Ref[]): Ref => g.op(op, of, float)
  const reshape = (x: Ref, ...dims: number[]): Ref => g.op('Reshape', [x, g.ints(...dims)], { ...float, Tshape: { type: INT32 } })
  const transpose = (x: Ref, ...order: number[]): Ref =>
    g.op('Transpose', [x, g.ints(...order)], { ...float, Tperm: { type: INT32 } })
  const product = (x: Ref, weight: Ref): Ref =>
    g.op('MatMul', [x, weight], { ...float, transpose_a: { bool: false }, transpose_b: { bool: false } })
  const products = (x: Ref, y: Ref, turned: boolean): Ref =>
    g.op('BatchMatMulV2', [x, y], { ...float, adj_x: { bool: false }, adj_y: { bool: turned } })
  const linear = (name: string, x: Ref): Ref => {
    const y = product(x, weight(name))
    return tensors.has(`${name}Bias`) ? one('BiasAdd', y, weight(`${name}Bias`)) : y
  }
  /** x / sqrt(mean(x²) + eps) over the last axis. */
  const normed = (x: Ref, axis: number, size: number): Ref => {
    const keep: Record<string, Attr> = { ...float, Tidx: { type: INT32 }, keep_dims: { bool: true } }
    const squares = one('Square', g.op('EuclideanNorm', [x, g.ints(axis)], keep))
    return one('Mul', x, one('Mul', one('Rsqrt', one('AddV2', squares, g.float(eps * size))), g.float(Math.sqrt(size))))
  }
  const [cos, sin] = [g.placeholder('cos', [-1, 1, dim]), g.placeholder('sin', [-1, 1, dim])]
  /** Heads [rows, count, dim] with their positions. */
  const rotated = (y: Ref, count: number, norm: string): Ref => {
    const own = reshape(y, -1, count, dim)
    const x = tensors.has(norm) ? one('Mul', normed(own, 2, dim), weight(norm)) : own
    const types = { ...float, Tshift: { type: INT32 }, Taxis: { type: INT32 } }
    const swapped = g.op('Roll', [x, g.int(dim / 2), g.int(2)], types)
    return one('AddV2', one('Mul', x, cos), one('Mul', swapped, sin))
  }
  const below = (past: string, own: Ref): Ref => {
    const all = [g.placeholder(past, [-1, kvHeads, 1, dim]), reshape(own, -1, kvHeads, 1, dim), g.int(0)]
    return transpose(g.op('ConcatV2', all, { ...float, N: { int: 2 }, Tidx: { type: INT32 } }), 1, 2, 0, 3)
  }

  const x = g.placeholder('x', [-1, hidden])
  const input = normed(x, 1, hidden)
  const k = rotated(linear('k', input), kvHeads, 'kNorm')
  const v = linear('v', input)
  const q = rotated(linear('q', input), heads, 'qNorm')
  const queries = transpose(reshape(q, -1, kvHeads, group, dim), 1, 2, 0, 3)
  const [keys, values] = [below('pastK', k), below('pastV', v)]
  const attend = (own: Ref, seenK: Ref, seenV: Ref, mask: Ref): Ref =>
    products(one('Softmax', one('AddV2', products(own, seenK, true), mask)), seenV, false)
  const slice = (y: Ref, begin: Ref, size: Ref): Ref => g.op('Slice', [y, begin, size], { ...float, Index: { type: INT32 } })
  const all = g.placeholder('mask', [1, 1, -1, -1])
  const inTiles = (): Ref => {
    const [origin, cut, rest] = [g.ints(0, 0, 0, 0), g.ints(0, 0, FIRST_TILE, 0), g.ints(-1, -1, -1, -1)]
    const size = g.placeholder('firstKeys', [4], INT32)
    const mask = g.placeholder('firstMask', [1, 1, FIRST_TILE, -1])
    const own = slice(queries, origin, g.ints(-1, -1, FIRST_TILE, -1))
    const first = attend(own, slice(keys, origin, size), slice(values, origin, size), mask)
    const others = attend(slice(queries, cut, rest), keys, values, all)
    return g.op('ConcatV2', [first, others, g.int(2)], { ...float, N: { int: 2 }, Tidx: { type: INT32 } })
  }
  const mixed = transpose(tiled ? inTiles() : attend(queries, keys, values, all), 2, 0, 1, 3)
  const attended = one('AddV2', x, linear('o', reshape(mixed, -1, heads * dim)))

  const ffn = normed(attended, 1, hidden)
  const gate = linear('gate', ffn)
  const active = one('Mul', one('Mul', gate, one('Sigmoid', gate)), linear('up', ffn))
  g.op('AddV2', [attended, linear('down', active)], float, 'y')
  g.op('Reshape', [k, g.ints(-1, kvHeads * dim)], { ...float, Tshape: { type: INT32 } }, 'keys')
  g.op('Identity', [v], float, 'values')
  return { graph: g, inputs: [...STEP_INPUTS, ...(tiled ? TILE_INPUTS : []), ...tensors.keys()] }
}
