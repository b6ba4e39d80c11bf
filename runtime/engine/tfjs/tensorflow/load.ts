/**
 * Loads the native binding into this thread: the package that the set-up recorded, or one that the project can see.
 * Loaded from wherever it lies, it shares this project's tfjs: the engine and its registries are the process's globals.
 * @module
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { VolleyError } from '../../../errors.ts'
import { installedBindings, readRecord } from '../../native/record.ts'

/** An attribute of a raw operation. */
export interface OpAttr {
  name: string
  type: number
  value: unknown
}

/** A tensor in the library; whoever made it must free it. */
export type Handle = number

/** A tensor as the library names it. */
interface TensorMetadata {
  id: number
  shape: number[]
  dtype: number
}

/** The library itself, by its own numbers for tensors and types. */
interface Binding {
  readonly TF_Version: string
  readonly TF_ATTR_BOOL: number
  readonly TF_ATTR_INT: number
  readonly TF_ATTR_STRING: number
  readonly TF_ATTR_TYPE: number
  createTensor(shape: number[], dtype: number, values: Float32Array | Int32Array): number
  deleteTensor(id: number): void
  executeOp(op: string, attrs: OpAttr[], inputs: number[], outputs: number): TensorMetadata[]
  getNumOfTensors(): number
  loadSavedModel(folder: string, tags: string): number
  deleteSavedModel(id: number): void
  /** Names as `NODE:OUTPUT`, joined by commas. */
  runSavedModel(id: number, inputs: number[], inputNames: string, outputNames: string): TensorMetadata[]
}

/** What the binding's backend offers besides tfjs's own interface. */
export interface NativeBackend {
  readonly isUsingGpuDevice: boolean
  readonly binding: Binding
  createOutputTensor(tensor: TensorMetadata): tf.Tensor
  executeSingleOutput(op: string, attrs: OpAttr[], inputs: tf.Tensor[]): tf.Tensor
  getInputTensorIds(tensors: tf.Tensor[]): number[]
}

const REMEDY = 'run `volley setup tensorflow` (in a checkout: npm run setup:tensorflow)'
const require = createRequire(import.meta.url)

/**
 * Makes the binding tfjs's backend `tensorflow` in this thread; `folder` names its package. Errors:
 * `engine_unavailable`.
 */
export function loadTensorflow(folder: string | undefined = readRecord()?.folder ?? installedBindings()[0]): void {
  if (folder === undefined) throw unavailable('no TensorFlow binding is set up on this machine')
  // One is gone since Node 23, the other warns there; without them the import succeeds and every operation fails.
  const util = require('node:util') as Record<string, unknown>
  util['isNullOrUndefined'] = (value: unknown) => value === null || value === undefined
  util['isArray'] = Array.isArray
  // Otherwise a second copy of tfjs-core, the package's own, warns that the platform is set already.
  tf.enableProdMode()
  try {
    createRequire(join(folder, 'package.json'))(folder)
  } catch (cause) {
    const [why] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
    throw unavailable(`the TensorFlow binding in ${folder} does not load: ${why}`, cause)
  }
  const has = tf.findBackend('tensorflow') !== null
  if (!has) throw unavailable(`the TensorFlow binding in ${folder} brought another copy of tfjs-core`)
}

/** The backend, once it is loaded. */
export const nativeBackend = (): NativeBackend => tf.findBackend('tensorflow') as unknown as NativeBackend

const unavailable = (why: string, cause?: unknown): VolleyError => {
  const message = `The engine "tensorflow" is not available: ${why}`
  return new VolleyError('engine_unavailable', message, { remedy: REMEDY, ...(cause !== undefined && { cause }) })
}
