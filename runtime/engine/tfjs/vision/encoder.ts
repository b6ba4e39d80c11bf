/**
 * The SigLIP encoder of Idefics3 and SmolVLM with its pixel shuffle and connector, written once against the named
 * kernels. Knows the mathematics of a tile; nothing of pictures, prompts or files.
 * @module
 */
import { createHash } from 'node:crypto'
import * as tf from '@tensorflow/tfjs-core'
import { VolleyError } from '../../../errors.ts'
import type { VisionConfig, VisionSource } from '../../load/source.ts'
import { intraOpThreads } from '../../native/environment.ts'
import type { ImageEncoder } from '../../vision/encoder.ts'
import { arithmeticOf, isBatchInvariant, startBackend } from '../backend.ts'
import { call } from '../kernels/kernel.ts'
import { Scratch } from '../kernels/scratch.ts'
import { linear } from '../linear.ts'
import { nativeBackend } from '../tensorflow/load.ts'
import { gelu } from './kernels/gelu.ts'
import { layerNorm } from './kernels/layer-norm.ts'
import { patches } from './kernels/patches.ts'
import { pixelShuffle } from './kernels/pixel-shuffle.ts'
import { tileAttention } from './kernels/tile-attention.ts'
import { loadVisionWeights, type Norm, type VisionLayer, type VisionWeights } from './weights.ts'

/** Raised whenever a kernel's result changes by a bit: vectors made before must not be mixed with those made after. */
const KERNEL_VERSION = 1
/** The same for the variants of native TensorFlow. */
const NATIVE_VERSION = 2

/**
 * Patches computed together, at most. With large tiles more are no faster on wasm (four of 1024 patches took as long
 * together as one by one) and take 230 MB each; small tiles share a step.
 */
const ROWS = 1024

/** Backends that have its kernels. */
export const ENCODER_BACKENDS: readonly string[] = ['wasm', 'cpu', 'tensorflow']

export interface TfjsEncoderOptions {
  /** `wasm`, `cpu` or `tensorflow`. */
  backend: string
}

/**
 * Loads an encoder onto a backend of this thread. Loading blocks; encoding blocks too, tile group by tile group.
 * Errors: `engine_unavailable`, `model_file_invalid`, `tensor_shape`.
 */
export async function tfjsEncoder(source: VisionSource, { backend }: TfjsEncoderOptions): Promise<ImageEncoder> {
  await startBackend(backend)
  const { config } = source
  const { imageSize, patchSize, scaleFactor, outputSize } = config
  const weights = loadVisionWeights(source)
  const scratch = new Scratch()
  const tilePatches = (imageSize / patchSize) ** 2
  const tileTokens = tilePatches / scaleFactor ** 2
  const tileFloats = 3 * imageSize ** 2
  // Where a row's bits depend on the batch, no two tiles share one.
  const together = isBatchInvariant(backend) ? Math.max(1, Math.floor(ROWS / tilePatches)) : 1

  const encode = async (pixels: Float32Array): Promise<Float32Array> => {
    const tiles = pixels.length / tileFloats
    if (!Number.isInteger(tiles)) {
      const why = `${pixels.length} numbers are no tiles of ${imageSize} × ${imageSize} × 3`
      throw new VolleyError('engine_failed', why)
    }
    const out = new Float32Array(tiles * tileTokens * outputSize)
    for (let tile = 0; tile < tiles; tile += together) {
      await startBackend(backend)
      const group = pixels.subarray(tile * tileFloats, (tile + together) * tileFloats)
      const vectors = tf.tidy(() => encodeTiles(config, weights, group, scratch))
      out.set(await vectors.data<'float32'>(), tile * tileTokens * outputSize)
      vectors.dispose()
    }
    return out
  }
  const native = backend === 'tensorflow' ? await nativeNumerics(encode, tileFloats) : ''

  return {
    config,
    backend,
    numerics: `${arithmeticOf(backend)}-v${KERNEL_VERSION}${native}`,
    tileTokens,
    together,
    encode,
    memory: () => {
      const { numBytes, numTensors } = tf.memory()
      return { bytes: numBytes, tensors: numTensors }
    },
    dispose: weights.dispose,
  }
}

/** Library, threads, and a digest of one computed tile: equal where processor and library compute alike. */
async function nativeNumerics(encode: ImageEncoder['encode'], tileFloats: number): Promise<string> {
  const vectors = await encode(Float32Array.from({ length: tileFloats }, (_, i) => Math.sin(i * 0.7)))
  const fingerprint = createHash('sha256').update(vectors).digest('hex').slice(0, 8)
  return `.${NATIVE_VERSION}-tf${nativeBackend().binding.TF_Version}-t${intraOpThreads()}-${fingerprint}`
}

/** [tiles * tokens, output] of pixels [tiles, 3, side, side]. */
function encodeTiles(config: VisionConfig, weights: VisionWeights, pixels: Float32Array, scratch: Scratch): tf.Tensor {
  const { imageSize: side, patchSize: patch, hiddenSize: hidden, scaleFactor: scale, layerNormEps: eps } = config
  const across = side / patch
  const seen = linear(weights.patch, call(patches, {}, { pixels, side, patch }))
  const placed = tf.add(tf.reshape(seen, [-1, across ** 2, hidden]), weights.positions)
  let x: tf.Tensor = tf.reshape(placed, [-1, hidden])
  for (const layer of weights.layers) {
    const next = tf.tidy(() => encodeLayer(config, layer, x, scratch))
    x.dispose()
    x = next
  }
  const wide = call(pixelShuffle, { x: call(layerNorm, { x, ...weights.norm }, { eps }) }, { across, scale })
  return linear(weights.connector, wide)
}

/** One layer: x [rows, hidden] in and out. */
function encodeLayer(config: VisionConfig, layer: VisionLayer, x: tf.Tensor, scratch: Scratch): tf.Tensor {
  const { imageSize, patchSize, heads, layerNormEps: eps } = config
  const norm = (weights: Norm, input: tf.Tensor) => call(layerNorm, { x: input, ...weights }, { eps })
  const input = norm(layer.attnNorm, x)
  const qkv = { q: linear(layer.q, input), k: linear(layer.k, input), v: linear(layer.v, input) }
  const mixed = call(tileAttention, qkv, { patches: (imageSize / patchSize) ** 2, heads, scratch })
  const attended = tf.add(x, linear(layer.o, mixed))
  const active = call(gelu, { x: linear(layer.up, norm(layer.ffnNorm, attended)) }, {})
  return tf.add(attended, linear(layer.down, active))
}
