/**
 * Starts a TensorFlow.js backend by name and makes the model's kernels known to it. Knows which package holds which
 * backend; nothing of models.
 * @module
 */
import process from 'node:process'
import * as tf from '@tensorflow/tfjs-core'
import { isVolleyError, VolleyError } from '../../errors.ts'
import { registerKernels } from './kernels/register.ts'
import { registerTensorflowKernels } from './tensorflow/kernels.ts'
import { loadTensorflow } from './tensorflow/load.ts'

/** Packages are imported on demand: a backend that is not asked for costs nothing and may be absent. */
const PACKAGES: Record<string, () => Promise<unknown>> = {
  wasm: () => import('@tensorflow/tfjs-backend-wasm'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
  tensorflow: async () => loadTensorflow(),
}

/**
 * Backends on which a row's bits are its own whatever shares the step: their matrix products add over k in order, one
 * accumulator an element. The tests of the decoder compare bits to prove it.
 */
const BATCH_INVARIANT: ReadonlySet<string> = new Set(['wasm', 'cpu'])

/** What computes, and how exactly: kernels of `cpu` are JavaScript, and exp and its like are the runtime's own there. */
export const arithmeticOf = (backend: string): string =>
  `${backend}-f32-tfjs${tf.version_core}${backend === 'cpu' ? `-v8.${process.versions['v8']}` : ''}`

export const isBatchInvariant = (backend: string): boolean => BATCH_INVARIANT.has(backend)

/**
 * Makes `name` tfjs's current backend in this thread, with every kernel registered. Cheap when it is already.
 * Errors: `engine_unavailable`.
 */
export async function startBackend(name: string): Promise<void> {
  const load = PACKAGES[name]
  if (load === undefined) {
    const remedy = `use one of: ${Object.keys(PACKAGES).join(', ')}`
    throw new VolleyError('engine_unavailable', `No tensor backend is called "${name}"`, { remedy })
  }
  if (name === 'tensorflow') registerTensorflowKernels()
  registerKernels(name)
  if (tf.getBackend() === name) return
  tf.enableProdMode()
  try {
    await load()
    if (!(await tf.setBackend(name))) throw new Error('its initialisation failed')
  } catch (cause) {
    if (isVolleyError(cause)) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new VolleyError('engine_unavailable', `The tensor backend "${name}" did not start: ${why}`, {
      remedy: `install the dependencies again (npm ci), or take another engine (${name === 'cpu' ? 'wasm' : 'cpu'})`,
      cause,
    })
  }
}
