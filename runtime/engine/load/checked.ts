/**
 * Tensors by canonical name, held against what a configuration expects: all that must be there is there, whole and of
 * the right shape. Knows no format and no family.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { ExpectedTensors, NameOf } from './names.ts'
import type { TensorName, TensorSource } from './source.ts'
import { readTensor, type TensorEntry, type TensorTable } from './tensor.ts'

/** The file's entry of each canonical name that is there. Errors: `model_file_invalid`, `tensor_shape`. */
export function checkTensors(
  tensors: TensorTable,
  nameOf: NameOf,
  expected: ExpectedTensors,
  path: string,
): Map<TensorName, TensorEntry> {
  const remedy = 'download it again: the weights and the configuration do not belong together.'
  const entries = new Map<TensorName, TensorEntry>()
  for (const [name, { shape, optional }] of expected) {
    const entry = tensors.get(nameOf(name))
    if (!entry) {
      if (optional) continue
      throw new VolleyError('model_file_invalid', `${path} lacks the tensor ${nameOf(name)}`, { remedy, param: path })
    }
    if (entry.shape.join() !== shape.join()) {
      const shapes = `[${entry.shape.join(', ')}], not [${shape.join(', ')}] as its configuration says`
      throw new VolleyError('tensor_shape', `${entry.file.path}: tensor ${nameOf(name)} is ${shapes}`, {
        remedy,
        param: path,
      })
    }
    entries.set(name, entry)
  }
  return entries
}

/** Reads those entries. */
export function tensorSource(
  name: string,
  digest: string,
  entries: ReadonlyMap<TensorName, TensorEntry>,
  close: () => void,
): TensorSource {
  const entryOf = (tensor: TensorName) => {
    const entry = entries.get(tensor)
    if (entry) return entry
    throw new VolleyError('model_file_invalid', `Model ${name} has no tensor ${tensor}`)
  }
  return {
    name,
    digest,
    has: (tensor) => entries.has(tensor),
    shape: (tensor) => [...entryOf(tensor).shape],
    read: (tensor) => readTensor(entryOf(tensor), tensor),
    close,
  }
}
