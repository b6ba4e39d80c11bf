/**
 * A decoder's tensors on the backend. Knows names and shapes; nothing of what is computed with them.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { DecoderConfig, ModelSource } from '../load/source.ts'
import type { Linear } from './linear.ts'
import { Upload } from './upload.ts'

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

/** Errors: `model_file_invalid` (a tensor is missing), `tensor_shape`. Nothing stays allocated after an error. */
export function loadWeights(source: ModelSource): Weights {
  const { config } = source
  const upload = new Upload(source)
  const { vector, linear } = upload
  try {
    const { vocabSize, hiddenSize, tiedEmbeddings } = config
    const layers = Array.from({ length: config.layers }, (_, i) => loadLayer(config, i, source, upload))
    const embed = upload.read('embed', [vocabSize, hiddenSize])
    const norm = vector('norm', hiddenSize)
    const head = tiedEmbeddings
      ? { weight: upload.turned(embed, vocabSize, hiddenSize) }
      : linear('head', vocabSize, hiddenSize)
    return { embed, layers, norm, head, dispose: upload.dispose }
  } catch (error) {
    upload.dispose()
    throw error
  }
}

function loadLayer(
  config: DecoderConfig,
  layer: number,
  source: ModelSource,
  { vector, linear }: Upload,
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
