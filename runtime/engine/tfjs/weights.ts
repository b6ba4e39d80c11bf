/**
 * Reads a model's tensors one at a time, checks each against the configuration, turns matrices to [in, out] and uploads
 * them. Knows names and shapes; nothing of what is computed with them.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { VolleyError } from '../../errors.ts'
import type { DecoderConfig, ModelSource } from '../load/source.ts'

/** A matrix [in, out] and perhaps a bias [out]. */
export interface Linear {
  weight: tf.Tensor
  bias?: tf.Tensor
}

export interface LayerWeights {
  attnNorm: tf.Tensor
  q: Linear
  k: Linear
  v: Linear
  o: Linear
  /** [headDim] each; Qwen3's norms of every head before the rotation. */
  qNorm: tf.Tensor | undefined
  kNorm: tf.Tensor | undefined
  ffnNorm: tf.Tensor
  gate: Linear
  up: Linear
  down: Linear
}

export interface Weights {
  /** [vocab, hidden], in JavaScript memory (see LlmEmbed). */
  embed: Float32Array
  layers: LayerWeights[]
  norm: tf.Tensor
  head: Linear
  dispose(): void
}

/** [rows, columns] to [columns, rows], in squares that fit the first-level cache. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length)
  const side = 32
  for (let r0 = 0; r0 < rows; r0 += side) {
    const r1 = Math.min(rows, r0 + side)
    for (let c0 = 0; c0 < columns; c0 += side) {
      const c1 = Math.min(columns, c0 + side)
      for (let c = c0; c < c1; c++) for (let r = r0; r < r1; r++) out[c * rows + r] = values[r * columns + c] as number
    }
  }
  return out
}

function readChecked(source: ModelSource, name: string, shape: number[]): Float32Array {
  if (!source.has(name)) {
    throw new VolleyError('model_file_invalid', `Model "${source.name}" has no tensor "${name}"`, {
      remedy: 'the file is incomplete or of another family than its configuration says: fetch the model again',
      param: name,
    })
  }
  const found = source.shape(name)
  if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
    throw new VolleyError(
      'tensor_shape',
      `Tensor "${name}" of model "${source.name}" is [${found.join(', ')}] and must be [${shape.join(', ')}]`,
      { remedy: 'the configuration and the weights are not of one model: fetch both again', param: name },
    )
  }
  return source.read(name)
}

/** Errors: `model_file_invalid` (a tensor is missing), `tensor_shape`. Nothing stays allocated after an error. */
export function loadWeights(source: ModelSource): Weights {
  const { config } = source
  const made: tf.Tensor[] = []
  const dispose = () => tf.dispose(made.splice(0))
  const upload = (values: Float32Array, shape: number[]): tf.Tensor => {
    const tensor = tf.tensor(values, shape)
    made.push(tensor)
    return tensor
  }
  const vector = (name: string, size: number) => upload(readChecked(source, name, [size]), [size])
  const matrix = (name: string, out: number, inner: number) =>
    upload(transposed(readChecked(source, name, [out, inner]), out, inner), [inner, out])
  const linear = (name: string, out: number, inner: number, bias?: 'required' | 'optional'): Linear => {
    const weight = matrix(name, out, inner)
    const has = bias === 'required' || (bias === 'optional' && source.has(`${name}Bias`))
    return has ? { weight, bias: vector(`${name}Bias`, out) } : { weight }
  }
  try {
    const { vocabSize, hiddenSize, tiedEmbeddings } = config
    const layers = Array.from({ length: config.layers }, (_, i) => loadLayer(config, i, source, vector, linear))
    const embed = readChecked(source, 'embed', [vocabSize, hiddenSize])
    const norm = vector('norm', hiddenSize)
    const head = tiedEmbeddings
      ? { weight: upload(transposed(embed, vocabSize, hiddenSize), [hiddenSize, vocabSize]) }
      : linear('head', vocabSize, hiddenSize)
    return { embed, layers, norm, head, dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

function loadLayer(
  config: DecoderConfig,
  layer: number,
  source: ModelSource,
  vector: (name: string, size: number) => tf.Tensor,
  linear: (name: string, out: number, inner: number, bias?: 'required' | 'optional') => Linear,
): LayerWeights {
  const { family, hiddenSize: hidden, intermediateSize: inter, heads, kvHeads, headDim } = config
  const at = (name: string) => `${layer}.${name}`
  const bias = family === 'qwen2' ? 'required' : 'optional'
  const headNorm = (name: string) =>
    family === 'qwen3' || source.has(at(name)) ? vector(at(name), headDim) : undefined
  return {
    attnNorm: vector(at('attnNorm'), hidden),
    q: linear(at('q'), heads * headDim, hidden, bias),
    k: linear(at('k'), kvHeads * headDim, hidden, bias),
    v: linear(at('v'), kvHeads * headDim, hidden, bias),
    o: linear(at('o'), hidden, heads * headDim, 'optional'),
    qNorm: headNorm('qNorm'),
    kNorm: headNorm('kNorm'),
    ffnNorm: vector(at('ffnNorm'), hidden),
    gate: linear(at('gate'), inter, hidden),
    up: linear(at('up'), inter, hidden),
    down: linear(at('down'), hidden, inter),
  }
}
