/**
 * The factory of real models: a file or directory on a TensorFlow.js backend. The one place where the engine's thread
 * meets the loaders and the backends.
 * @module
 */
import { createHash } from 'node:crypto'
import { VolleyError } from '../../errors.ts'
import type { JsonObject } from '../../json.ts'
import type { Forward } from '../forward.ts'
import type { ModelSource, VisionSource } from '../load/source.ts'
import { type Pace, paced, pacedEncoder } from '../paced.ts'
import { byPhase } from '../phases.ts'
import type { ImageEncoder, Vision } from '../vision/encoder.ts'
import type { ImageSettings } from '../vision/settings.ts'
import type { LoadedModel } from './protocol.ts'

/** What the loaders and the backends offer. Loaded by address, so that a client of this module needs neither. */
interface Loaders {
  openModel(path: string): ModelSource
  findVision(path: string): VisionSource | undefined
}
interface Settings {
  readImageSettings(directory: string): ImageSettings | undefined
}
interface Backends {
  ENCODER_BACKENDS: readonly string[]
  tfjsEncoder(source: VisionSource, options: { backend: string }): Promise<ImageEncoder>
  tfjsForward(source: ModelSource, options: JsonObject): Promise<Forward>
}

const modules = {
  load: new URL('../load/mod.ts', import.meta.url).href,
  settings: new URL('../vision/settings.ts', import.meta.url).href,
  tfjs: new URL('../tfjs/mod.ts', import.meta.url).href,
}

/**
 * Loads `modelPath` on `backend`, or with `decodeBackend` on two: prompts on the first, generated tokens on the second.
 * `pace` (paced.ts) holds its steps to another machine's times. All other fields go to the backends (`threads`, …). A
 * model that sees comes with its encoder. Error: `invalid_config`.
 */
export default async function loadModel({ modelPath, decodeBackend, pace, ...options }: JsonObject): Promise<LoadedModel> {
  if (typeof modelPath !== 'string') throw new VolleyError('invalid_config', 'An engine needs the path of a model')
  const { openModel, findVision } = (await import(modules.load)) as Loaders
  const backends = (await import(modules.tfjs)) as Backends
  const { tfjsForward } = backends
  const source = openModel(modelPath)
  try {
    const first = await tfjsForward(source, options)
    const mixed = typeof decodeBackend === 'string' && decodeBackend !== options['backend']
    const forward = mixed ? byPhase(first, await tfjsForward(source, { ...options, backend: decodeBackend })) : first
    const seeing = findVision(modelPath)
    const vision = seeing && (await loadVision(modelPath, seeing, backends, options['backend']))
    if (pace !== undefined && vision) vision.encoder = pacedEncoder(vision.encoder, pace as Pace)
    const held = pace === undefined ? forward : paced(forward, pace as Pace)
    return { forward: held, model: source.name, modelDigest: source.digest, ...(vision && { vision }) }
  } finally {
    source.close()
  }
}

/** The encoder, on the prompts' backend where that has its kernels. */
async function loadVision(directory: string, source: VisionSource, backends: Backends, first: unknown): Promise<Vision> {
  const { readImageSettings } = (await import(modules.settings)) as Settings
  try {
    const settings = readImageSettings(directory)!
    const digest = createHash('sha256').update(JSON.stringify([source.digest, settings])).digest('hex').slice(0, 32)
    const backend = backends.ENCODER_BACKENDS.find((name) => name === first) ?? 'wasm'
    return { encoder: await backends.tfjsEncoder(source, { backend }), settings, digest }
  } finally {
    source.close()
  }
}
