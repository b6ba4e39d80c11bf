/**
 * The factory of real models: a file or directory on a TensorFlow.js backend. The one place where the engine's thread
 * meets the loaders and the backends.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { JsonObject } from '../../json.ts'
import type { Forward } from '../forward.ts'
import type { ModelSource } from '../load/source.ts'
import { type Pace, paced } from '../paced.ts'
import { byPhase } from '../phases.ts'
import type { LoadedModel } from './protocol.ts'

/** What the loaders and the backends offer. Loaded by address, so that a client of this module needs neither. */
interface Loaders {
  openModel(path: string): ModelSource
}
interface Backends {
  tfjsForward(source: ModelSource, options: JsonObject): Promise<Forward>
}

const modules = {
  load: new URL('../load/mod.ts', import.meta.url).href,
  tfjs: new URL('../tfjs/mod.ts', import.meta.url).href,
}

/**
 * Loads `modelPath` on `backend`, or with `decodeBackend` on two: prompts on the first, generated tokens on the second.
 * `pace` (paced.ts) holds its steps to another machine's times. All other fields go to the backends (`threads`, …). Error: `invalid_config`.
 */
export default async function loadModel({ modelPath, decodeBackend, pace, ...options }: JsonObject): Promise<LoadedModel> {
  if (typeof modelPath !== 'string') throw new VolleyError('invalid_config', 'An engine needs the path of a model')
  const { openModel } = (await import(modules.load)) as Loaders
  const { tfjsForward } = (await import(modules.tfjs)) as Backends
  const source = openModel(modelPath)
  try {
    const first = await tfjsForward(source, options)
    const mixed = typeof decodeBackend === 'string' && decodeBackend !== options['backend']
    const forward = mixed ? byPhase(first, await tfjsForward(source, { ...options, backend: decodeBackend })) : first
    const held = pace === undefined ? forward : paced(forward, pace as Pace)
    return { forward: held, model: source.name, modelDigest: source.digest }
  } finally {
    source.close()
  }
}
