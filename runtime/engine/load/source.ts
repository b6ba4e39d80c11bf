/**
 * What a loader hands to a model family: one normalised configuration and tensors by canonical name, whatever the
 * file format was. Loaders know formats, families know mathematics; they meet here.
 * @module
 */

/** A Llama-shaped decoder. Names follow Hugging Face's config.json, in camel case, all resolved. */
export interface DecoderConfig {
  family: 'llama' | 'mistral' | 'qwen2' | 'qwen3'
  vocabSize: number
  hiddenSize: number
  intermediateSize: number
  layers: number
  heads: number
  kvHeads: number
  headDim: number
  rmsNormEps: number
  contextLength: number
  ropeTheta: number
  /** Llama-3 scaling of the inverse frequencies; undefined = none. `linear` divides all of them by `factor`. */
  ropeScaling:
    | { type: 'llama3'; factor: number; lowFreqFactor: number; highFreqFactor: number; originalContextLength: number }
    | { type: 'linear'; factor: number }
    | undefined
  /** Attend only to this many last positions (the token itself included), per layer; undefined = all. */
  slidingWindow: (number | undefined)[]
  /** Output matrix = embedding. */
  tiedEmbeddings: boolean
  bosToken: number | undefined
  endTokens: number[]
}

/**
 * Canonical tensor names; L = layer index. Matrices are [out, in] row-major as in Hugging Face files; q and k rows are
 * in rotate-half order (a GGUF loader undoes llama.cpp's permutation).
 *
 * `embed` [vocab, hidden] · `norm` [hidden] · `head` [vocab, hidden] (absent when tied) · `L.attnNorm` `L.ffnNorm` [hidden] ·
 * `L.q` [heads*dim, hidden] `L.k` `L.v` [kvHeads*dim, hidden] `L.o` [hidden, heads*dim] · `L.qBias` `L.kBias` `L.vBias`
 * `L.oBias` (optional) · `L.qNorm` `L.kNorm` [dim] (optional) · `L.gate` `L.up` [inter, hidden] `L.down` [hidden, inter]
 */
export type TensorName = string

/** Tensors of one part of a model, by canonical name. */
export interface TensorSource {
  /** Name in the API. */
  readonly name: string
  /** Hex digest that names the weights: part of the numerics id. Cheap (header and sizes, or the file's sampled content). */
  readonly digest: string
  has(name: TensorName): boolean
  shape(name: TensorName): number[]
  /** Dequantised to float32, a fresh array each time. Errors: `tensor_shape`, `model_file_invalid`. */
  read(name: TensorName): Float32Array
  close(): void
}

export interface ModelSource extends TensorSource {
  readonly config: DecoderConfig
}

/** A SigLIP encoder with pixel shuffle and a linear connector, as Idefics3 and SmolVLM have it. */
export interface VisionConfig {
  /** Side of a tile and of a patch, in pixels. */
  imageSize: number
  patchSize: number
  hiddenSize: number
  intermediateSize: number
  layers: number
  heads: number
  layerNormEps: number
  /** So many patches each way become one token. */
  scaleFactor: number
  /** The decoder's hidden size: what a token's vector is as long as. */
  outputSize: number
}

/**
 * The encoder's tensors have these names: `patch` [hidden, 3, patch, patch] · `positions` [patches, hidden] · `norm`
 * [hidden] · `connector` [output, hidden * scale²] · `L.attnNorm` `L.ffnNorm` [hidden] · `L.q` `L.k` `L.v` `L.o` [hidden,
 * hidden] · `L.up` [inter, hidden] `L.down` [hidden, inter]; and each its `…Bias`, but for `positions` and `connector`.
 */
export interface VisionSource extends TensorSource {
  readonly config: VisionConfig
}
