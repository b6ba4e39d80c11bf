/**
 * Opens a model's weights, whatever format they are in: a GGUF file or a Hugging Face directory.
 * Knows nothing of mathematics or text.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import { checkTensors, tensorSource } from './checked.ts'
import { weightsDigest } from './digest.ts'
import { GgufFile } from './gguf.ts'
import { ggufDecoderConfig } from './gguf-config.ts'
import { hfDecoderConfig } from './hf-config.ts'
import { locateModel } from './locate.ts'
import { expectedTensors, ggufNames, hfNames, type NameOf, splitName } from './names.ts'
import { openSafetensors } from './safetensors.ts'
import type { DecoderConfig, ModelSource, TensorName } from './source.ts'
import type { TensorTable } from './tensor.ts'
import { unpermuteRows } from './permute.ts'

export { findVision, openVision } from './vision.ts'

/** A model as its format's reader found it. */
interface Found {
  config: DecoderConfig
  tensors: TensorTable
  nameOf: NameOf
  /** q and k rows lie in llama.cpp's order for adjacent pairs. */
  permuted: boolean
  close(): void
}

/**
 * Opens the weights at `path` and checks that all of them are there, whole and of the right shape; reads none of them.
 * Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported`, `tensor_shape`.
 */
export function openModel(path: string): ModelSource {
  const location = locateModel(path)
  const found = location.kind === 'gguf' ? openGguf(location.path) : openHf(location.path)
  try {
    const { config, tensors } = found
    const entries = checkTensors(tensors, found.nameOf, expectedTensors(config), location.path)
    const source = tensorSource(location.name, weightsDigest(config, tensors), entries, () => found.close())
    return { ...source, config, read: (name) => unpermuted(found, name, source.read(name)) }
  } catch (error) {
    found.close()
    throw error
  }
}

function openGguf(path: string): Found {
  const gguf = new GgufFile(path)
  try {
    const split = gguf.number('split.count') ?? 0
    if (split > 1) {
      throw new VolleyError('model_unsupported', `${path} is one of ${split} parts of a model`, {
        remedy: `join them with llama.cpp's \`llama-gguf-split --merge\` and give the result.`,
        param: path,
      })
    }
    const config = ggufDecoderConfig(gguf)
    const permuted = gguf.text('general.architecture') === 'llama'
    return { config, tensors: gguf.tensors, nameOf: ggufNames, permuted, close: () => gguf.close() }
  } catch (error) {
    gguf.close()
    throw error
  }
}

function openHf(directory: string): Found {
  const config = hfDecoderConfig(directory)
  const { files, tensors } = openSafetensors(directory)
  const prefixes = ['', 'model.text_model.', 'model.']
  const nameOf = hfNames(prefixes.find((prefix) => tensors.has(`${prefix}embed_tokens.weight`)) ?? 'model.')
  return { config, tensors, nameOf, permuted: false, close: () => files.forEach((file) => file.close()) }
}

function unpermuted({ permuted, config }: Found, name: TensorName, values: Float32Array): Float32Array {
  const { own } = splitName(name)
  if (permuted && (own === 'q' || own === 'qBias')) return unpermuteRows(values, config.heads, config.headDim)
  if (permuted && (own === 'k' || own === 'kBias')) return unpermuteRows(values, config.kvHeads, config.headDim)
  return values
}
