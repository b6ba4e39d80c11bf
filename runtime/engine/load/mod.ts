/**
 * Opens a model's weights, whatever format they are in: a GGUF file or a Hugging Face directory.
 * Knows nothing of mathematics or text.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import { weightsDigest } from './digest.ts'
import { GgufFile } from './gguf.ts'
import { ggufDecoderConfig } from './gguf-config.ts'
import { hfDecoderConfig } from './hf-config.ts'
import { locateModel } from './locate.ts'
import { expectedTensors, ggufNames, hfNames, type NameOf, splitName } from './names.ts'
import { openSafetensors } from './safetensors.ts'
import type { DecoderConfig, ModelSource, TensorName } from './source.ts'
import { readTensor, type TensorEntry, type TensorTable } from './tensor.ts'
import { unpermuteRows } from './permute.ts'

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
    const entries = checkTensors(found, location.path)
    return modelSource(location.name, found, entries)
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
  const nameOf = hfNames(tensors.has('embed_tokens.weight') ? '' : 'model.')
  return { config, tensors, nameOf, permuted: false, close: () => files.forEach((file) => file.close()) }
}

/** The file's entry of each canonical name that is there. */
function checkTensors({ config, tensors, nameOf }: Found, path: string): Map<TensorName, TensorEntry> {
  const entries = new Map<TensorName, TensorEntry>()
  for (const [name, { shape, optional }] of expectedTensors(config)) {
    const entry = tensors.get(nameOf(name))
    if (!entry) {
      if (optional) continue
      throw new VolleyError('model_file_invalid', `${path} lacks the tensor ${nameOf(name)}`, {
        remedy: 'download it again: the weights and the configuration do not belong together.',
        param: path,
      })
    }
    if (entry.shape.join() !== shape.join()) {
      const shapes = `[${entry.shape.join(', ')}], not [${shape.join(', ')}] as its configuration says`
      throw new VolleyError('tensor_shape', `${entry.file.path}: tensor ${nameOf(name)} is ${shapes}`, {
        remedy: 'download it again: the weights and the configuration do not belong together.',
        param: path,
      })
    }
    entries.set(name, entry)
  }
  return entries
}

function modelSource(modelName: string, found: Found, entries: Map<TensorName, TensorEntry>): ModelSource {
  const { config } = found
  const entryOf = (name: TensorName) => {
    const entry = entries.get(name)
    if (entry) return entry
    throw new VolleyError('model_file_invalid', `Model ${modelName} has no tensor ${name}`)
  }
  return {
    config,
    name: modelName,
    digest: weightsDigest(config, found.tensors),
    has: (name) => entries.has(name),
    shape: (name) => [...entryOf(name).shape],
    read(name) {
      const values = readTensor(entryOf(name), name)
      const { own } = splitName(name)
      if (found.permuted && (own === 'q' || own === 'qBias')) return unpermuteRows(values, config.heads, config.headDim)
      if (found.permuted && (own === 'k' || own === 'kBias')) {
        return unpermuteRows(values, config.kvHeads, config.headDim)
      }
      return values
    },
    close: () => found.close(),
  }
}
