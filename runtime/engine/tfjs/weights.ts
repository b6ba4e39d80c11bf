/**
 * A decoder's tensors on the backend. Knows names and shapes; nothing of what is computed with them.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { ModelSource } from '../load/source.ts'
import type { Linear } from './linear.ts'
import { Upload } from './upload.ts'

export interface LayerWeights {
  /** Undefined where it is folded into `q`, `k` and `v`. */
  attnNorm: tf.Tensor | undefined
  q: Linear
  k: Linear
  v: Linear
  o: Linear
  /** [headDim] each; Qwen3's norms of every head before the rotation. */
  qNorm: tf.Tensor | undefined
  kNorm: tf.Tensor | undefined
  /** Undefined where it is folded into `gate` and `up`. */
  ffnNorm: tf.Tensor | undefined
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
  /** What attention's scores are multiplied with still: 1/sqrt(headDim), or 1 where that is folded in. */
  scoreScale: number
  dispose(): void
}

/**
 * With `folded`, layers' norm weights and the scale of the scores are multiplied into the matrices beside them: two
 * passes over a layer's rows less, at the price of one rounding more a weight. Errors: `model_file_invalid` (a tensor is
 * missing), `tensor_shape`. Nothing stays allocated after an error.
 */
export function loadWeights(source: ModelSource, folded = false): Weights {
  const { config } = source
  const upload = new Upload(source)
  const { vector, linear } = upload
  try {
    const { vocabSize, hiddenSize, tiedEmbeddings } = config
    const layers = Array.from({ length: config.layers }, (_, i) => loadLayer(source, i, upload, folded))
    const embed = upload.read('embed', [vocabSize, hiddenSize])
    const norm = vector('norm', hiddenSize)
    const head = tiedEmbeddings
      ? { weight: upload.turned(embed, vocabSize, hiddenSize) }
      : linear('head', vocabSize, hiddenSize)
    const scoreScale = folded ? 1 : 1 / Math.sqrt(config.headDim)
    return { embed, layers, norm, head, scoreScale, dispose: upload.dispose }
  } catch (error) {
    upload.dispose()
    throw error
  }
}

function loadLayer(source: ModelSource, layer: number, upload: Upload, folded: boolean): LayerWeights {
  const { family, hiddenSize: hidden, intermediateSize: inter, heads, kvHeads, headDim } = source.config
  const { vector, linear } = upload
  const at = (name: string) => `${layer}.${name}`
  const bias = family === 'qwen2' ? 'required' : 'optional'
  const scale = folded ? 1 / Math.sqrt(headDim) : 1
  const hasHeadNorm = (name: string) => family === 'qwen3' || source.has(at(name))
  const headNorm = (name: string, factor?: number) =>
    hasHeadNorm(name) ? vector(at(name), headDim, factor) : undefined
  const norm = (name: string) => (folded ? undefined : vector(at(name), hidden))
  const fold = (name: string) => (folded ? { input: upload.read(at(name), [hidden]) } : {})
  const [input, ffnInput] = [fold('attnNorm'), fold('ffnNorm')]
  return {
    attnNorm: norm('attnNorm'),
    // A norm between would undo a factor of the matrix.
    q: linear(at('q'), heads * headDim, hidden, bias, { ...input, output: hasHeadNorm('qNorm') ? 1 : scale }),
    k: linear(at('k'), kvHeads * headDim, hidden, bias, input),
    v: linear(at('v'), kvHeads * headDim, hidden, bias, input),
    o: linear(at('o'), hidden, heads * headDim, 'optional'),
    qNorm: headNorm('qNorm', scale),
    kNorm: headNorm('kNorm'),
    ffnNorm: norm('ffnNorm'),
    gate: linear(at('gate'), inter, hidden, 'none', ffnInput),
    up: linear(at('up'), inter, hidden, 'none', ffnInput),
    down: linear(at('down'), hidden, inter),
  }
}
