/**
 * Opens the encoder of a model that sees: its own tensors only, so that an instance that encodes holds no decoder, and
 * one that decodes no encoder.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import { checkTensors, tensorSource } from './checked.ts'
import { weightsDigest } from './digest.ts'
import { locateModel } from './locate.ts'
import { type ExpectedTensors, type NameOf, splitName } from './names.ts'
import { openSafetensors } from './safetensors.ts'
import type { VisionConfig, VisionSource } from './source.ts'
import { hfVisionConfig } from './vision-config.ts'

/** Names of one layer's modules; each has a weight and a bias. */
const LAYER: Readonly<Record<string, string>> = {
  attnNorm: 'layer_norm1',
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  o: 'self_attn.out_proj',
  ffnNorm: 'layer_norm2',
  up: 'mlp.fc1',
  down: 'mlp.fc2',
}

const TOP: Readonly<Record<string, string>> = {
  patch: 'vision_model.embeddings.patch_embedding',
  positions: 'vision_model.embeddings.position_embedding',
  norm: 'vision_model.post_layernorm',
  connector: 'connector.modality_projection.proj',
}

/**
 * Opens the encoder of the model at `path` and checks that its tensors are there; reads none of them.
 * Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported` (also: it does not see), `tensor_shape`.
 */
export function openVision(path: string): VisionSource {
  const source = findVision(path)
  if (source) return source
  throw new VolleyError('model_unsupported', `Model ${locateModel(path).name} has no encoder for pictures`, {
    remedy: 'use a directory of the Idefics3 or SmolVLM family.',
    param: path,
  })
}

/** As {@linkcode openVision}; undefined where the model has no encoder. */
export function findVision(path: string): VisionSource | undefined {
  const location = locateModel(path)
  const config = location.kind === 'hf' ? hfVisionConfig(location.path) : undefined
  if (config === undefined) return undefined
  const { files, tensors } = openSafetensors(location.path)
  const close = () => files.forEach((file) => file.close())
  try {
    const prefix = tensors.has('vision_model.post_layernorm.weight') ? '' : 'model.'
    const nameOf = visionNames(prefix)
    const entries = checkTensors(tensors, nameOf, expectedVision(config), location.path)
    return { ...tensorSource(location.name, weightsDigest(config, entries), entries, close), config }
  } catch (error) {
    close()
    throw error
  }
}

const visionNames = (prefix: string): NameOf => (name) => {
  const { layer, own } = splitName(name)
  const bias = own.endsWith('Bias')
  const plain = bias ? own.slice(0, -'Bias'.length) : own
  const module = layer === undefined ? TOP[plain] : `vision_model.encoder.layers.${layer}.${LAYER[plain]}`
  return `${prefix}${module}.${bias ? 'bias' : 'weight'}`
}

function expectedVision(config: VisionConfig): ExpectedTensors {
  const { hiddenSize: hidden, intermediateSize: inter, patchSize: patch, imageSize, scaleFactor, outputSize } = config
  const expected: ExpectedTensors = new Map()
  const add = (name: string, shape: number[]) => expected.set(name, { shape, optional: false })
  const biased = (name: string, shape: number[]) => {
    add(name, shape)
    add(`${name}Bias`, shape.slice(0, 1))
  }
  biased('patch', [hidden, 3, patch, patch])
  add('positions', [(imageSize / patch) ** 2, hidden])
  biased('norm', [hidden])
  add('connector', [outputSize, hidden * scaleFactor ** 2])
  for (let layer = 0; layer < config.layers; layer++) {
    for (const name of ['attnNorm', 'ffnNorm']) biased(`${layer}.${name}`, [hidden])
    for (const name of ['q', 'k', 'v', 'o']) biased(`${layer}.${name}`, [hidden, hidden])
    biased(`${layer}.up`, [inter, hidden])
    biased(`${layer}.down`, [hidden, inter])
  }
  return expected
}
