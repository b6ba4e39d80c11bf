/**
 * Reads a model's tensors one at a time, checks each against the shape it must have, turns matrices to [in, out] and
 * uploads them. Knows no names.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'
import { VolleyError } from '../../errors.ts'
import type { TensorSource } from '../load/source.ts'
import type { Linear } from './linear.ts'

/** What a matrix is multiplied with while it is uploaded. */
export interface Fold {
  /** [in]: what its input would have been multiplied with. */
  input?: Float32Array
  /** What its output, its bias included, would have been multiplied with. */
  output?: number
}

/** What was uploaded of one source; `dispose` frees all of it. Errors: `model_file_invalid`, `tensor_shape`. */
export class Upload {
  readonly #source: TensorSource
  readonly #made: tf.Tensor[] = []

  constructor(source: TensorSource) {
    this.#source = source
  }

  /** The tensor's values, in JavaScript memory. */
  read(name: string, shape: number[]): Float32Array {
    return readChecked(this.#source, name, shape)
  }

  readonly vector = (name: string, size: number, factor = 1): tf.Tensor => {
    const values = this.read(name, [size])
    return this.#upload(factor === 1 ? values : values.map((value) => value * factor), [size])
  }

  /** A table or any other tensor as it lies in the file. */
  plain(name: string, shape: number[]): tf.Tensor {
    return this.#upload(this.read(name, shape), shape)
  }

  /** A matrix [out, in] as [in, out]. */
  turned(values: Float32Array, out: number, inner: number, { input, output = 1 }: Fold = {}): tf.Tensor {
    const turned = transposed(values, out, inner)
    for (let row = 0; row < inner && (input !== undefined || output !== 1); row++) {
      const factor = (input?.[row] ?? 1) * output
      for (let i = row * out; i < (row + 1) * out; i++) turned[i] = (turned[i] as number) * factor
    }
    return this.#upload(turned, [inner, out])
  }

  readonly linear = (name: string, out: number, inner: number, bias: Bias = 'none', fold: Fold = {}): Linear => {
    const weight = this.turned(this.read(name, [out, inner]), out, inner, fold)
    const has = bias === 'required' || (bias === 'optional' && this.#source.has(`${name}Bias`))
    return has ? { weight, bias: this.vector(`${name}Bias`, out, fold.output) } : { weight }
  }

  readonly dispose = (): void => tf.dispose(this.#made.splice(0))

  #upload(values: Float32Array, shape: number[]): tf.Tensor {
    const tensor = tf.tensor(values, shape)
    this.#made.push(tensor)
    return tensor
  }
}

type Bias = 'none' | 'required' | 'optional'

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

function readChecked(source: TensorSource, name: string, shape: number[]): Float32Array {
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
