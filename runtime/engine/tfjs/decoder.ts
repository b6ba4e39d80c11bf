/**
 * Llama-shaped decoders (Llama, Mistral, Qwen2, Qwen3), written once against the named kernels. Knows the mathematics
 * of a step; nothing of file formats, scheduling or sampling.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import type { KvPool } from '../../kv/pool.ts'
import type { Chunk, Forward } from '../forward.ts'
import type { DecoderConfig, ModelSource } from '../load/source.ts'
import { intraOpThreads } from '../native/environment.ts'
import { arithmeticOf, isBatchInvariant, startBackend } from './backend.ts'
import { embed } from './kernels/embed.ts'
import { call } from './kernels/kernel.ts'
import { kvAppend } from './kernels/kv-append.ts'
import { pagedAttention } from './kernels/paged-attention.ts'
import { rmsNorm } from './kernels/rms-norm.ts'
import { rope } from './kernels/rope.ts'
import { Scratch } from './kernels/scratch.ts'
import { siluMul } from './kernels/silu-mul.ts'
import { type Linear, linear } from './linear.ts'
import { inverseFrequencies, rotaryRows, swapHalvesMatrix } from './rotary.ts'
import { planStep, type Step } from './step.ts'
import { nativeBackend } from './tensorflow/load.ts'
import { PromptLayers, type RunLayer } from './tensorflow/prompt-layer.ts'
import { liveTensors } from './tensorflow/raw.ts'
import { LEAST_ROWS, proveRows, runApart } from './tensorflow/rows.ts'
import { type LayerWeights, loadWeights } from './weights.ts'

/** Raised whenever a kernel's result changes by a bit: caches made before must not be mixed with those made after. */
const KERNEL_VERSION = 2
/** The same for the variants of native TensorFlow. */
const NATIVE_VERSION = 3

/** What every layer of one step shares. */
interface StepContext {
  step: Step
  pool: KvPool
  scratch: Scratch
  scoreScale: number
  cos: tf.Tensor
  sin: tf.Tensor
  swapHalves: tf.Tensor
  /** Where layers are run as graphs. */
  prompt: RunLayer | undefined
}

export interface TfjsForwardOptions {
  /** `wasm`, `cpu` or `tensorflow`. */
  backend: string
}

/**
 * Loads a model onto a backend of this thread. Loading blocks; a step blocks too, except for the last read.
 * Errors: `engine_unavailable`, `model_file_invalid`, `tensor_shape`.
 */
export async function tfjsForward(source: ModelSource, { backend }: TfjsForwardOptions): Promise<Forward> {
  await startBackend(backend)
  const { config } = source
  const native = backend === 'tensorflow'
  const weights = loadWeights(source, native)
  const graphs = native ? new PromptLayers(config, weights.layers[0]!) : undefined
  const scratch = new Scratch()
  const frequencies = inverseFrequencies(config)
  const swapHalves = swapHalvesMatrix(config.headDim)

  const logits = (step: Step, pool: KvPool): tf.Tensor | undefined =>
    tf.tidy(() => {
      const { scoreScale } = weights
      const angles = rotaryRows(frequencies, step.positions)
      const prompt = graphs?.chunkOf(step, pool, angles)
      const context: StepContext = { step, pool, scratch, scoreScale, swapHalves, ...angles, prompt }
      const { tokens, given } = step
      let x = call(embed, {}, { table: weights.embed, hidden: config.hiddenSize, tokens, given })
      for (const [index, layer] of weights.layers.entries()) {
        const last = index === weights.layers.length - 1
        const next = tf.tidy(() => layerForward(config, layer, index, last, x, context))
        x.dispose()
        if (next === undefined) return undefined
        x = next
      }
      return linear(weights.head, call(rmsNorm, { x, weight: weights.norm }, { eps: config.rmsNormEps }))
    })

  const step = async (chunks: readonly Chunk[], pool: KvPool): Promise<Float32Array[]> => {
    await startBackend(backend)
    const result = logits(planStep(chunks, config, pool, native ? LEAST_ROWS : 1), pool)
    const values = result === undefined ? new Float32Array() : await result.data<'float32'>()
    result?.dispose()
    return splitRows(chunks, values, config.vocabSize)
  }
  const proven = native ? await proveRows(step, config) : undefined
  const arithmetic = proven && `.${NATIVE_VERSION}-tf${nativeBackend().binding.TF_Version}-t${intraOpThreads()}-${proven.fingerprint}`

  return {
    config,
    backend,
    numerics: `${arithmeticOf(backend)}-k${KERNEL_VERSION}${arithmetic ?? ''}`,
    batchInvariant: isBatchInvariant(backend),
    async run(chunks, pool) {
      if (chunks.length === 0) return []
      return proven ? await runApart(chunks, pool, proven.together, step) : await step(chunks, pool)
    },
    memory: () => {
      const { numBytes, numTensors } = tf.memory()
      return { bytes: numBytes + weights.embed.byteLength, tensors: native ? liveTensors() : numTensors }
    },
    dispose: () => {
      weights.dispose()
      graphs?.dispose()
      swapHalves.dispose()
    },
  }
}

/**
 * One layer: x [rows, hidden] in and out. The last layer goes on with the wanted rows only, once every row's K and V
 * are in the pool; undefined = none is wanted.
 */
function layerForward(
  config: DecoderConfig,
  layer: LayerWeights,
  index: number,
  last: boolean,
  x: tf.Tensor,
  { step, pool, scratch, scoreScale: scale, cos, sin, swapHalves, prompt }: StepContext,
): tf.Tensor | undefined {
  const { heads, kvHeads, headDim, rmsNormEps: eps } = config
  const { spans, rows, wanted } = step
  const window = config.slidingWindow[index]
  if (prompt && !last && window === undefined) {
    const { y, k, v } = prompt(x, layer, index)
    call(kvAppend, { k, v }, { pool, layer: index, spans })
    return y
  }
  const normed = (y: tf.Tensor, weight: tf.Tensor | undefined): tf.Tensor =>
    call(rmsNorm, weight === undefined ? { x: y } : { x: y, weight }, { eps })
  const rotated = (projection: Linear, count: number, norm: tf.Tensor | undefined, input: tf.Tensor): tf.Tensor => {
    const y = linear(projection, input)
    const own = norm === undefined ? y : headNorm(y, norm, count)
    return call(rope, { x: own, cos, sin, swapHalves }, { heads: count, headDim })
  }
  const headNorm = (y: tf.Tensor, weight: tf.Tensor, count: number): tf.Tensor =>
    tf.reshape(normed(tf.reshape(y, [rows * count, headDim]), weight), y.shape)

  const input = normed(x, layer.attnNorm)
  const k = rotated(layer.k, kvHeads, layer.kNorm, input)
  const v = linear(layer.v, input)
  call(kvAppend, { k, v }, { pool, layer: index, spans })
  if (last && wanted.length === 0) return undefined

  const q = rotated(layer.q, heads, layer.qNorm, input)
  const attrs = { pool, layer: index, spans, kvHeads, headDim, scale, window, scratch }
  const mixed = call(pagedAttention, { q }, attrs)
  const some = wanted.length < rows || wanted.some((row, i) => row !== i)
  const pick = (y: tf.Tensor): tf.Tensor => (last && some ? tf.gather(y, tf.tensor1d(wanted, 'int32')) : y)
  const attended = tf.add(pick(x), linear(layer.o, pick(mixed)))

  const hidden = normed(attended, layer.ffnNorm)
  const active = call(siluMul, { gate: linear(layer.gate, hidden), up: linear(layer.up, hidden) }, {})
  return tf.add(attended, linear(layer.down, active))
}

/** The logits of each chunk's wanted rows, in the order of the chunks: views of one array. */
function splitRows(chunks: readonly Chunk[], values: Float32Array, vocab: number): Float32Array[] {
  let at = 0
  return chunks.map(({ tokens, logits }) => {
    const rows = logits === 'none' ? 0 : logits === 'last' ? 1 : tokens.length
    return values.subarray(at, (at += rows * vocab))
  })
}
