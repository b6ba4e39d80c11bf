/**
 * The encoder's half of a config.json of the Idefics3 and SmolVLM families. Defaults for absent keys are those of
 * transformers' Idefics3VisionConfig. Knows no weights.
 * @module
 */
import { join } from 'node:path'
import { invalidConfig, unsupported, wholeNumber } from './config-check.ts'
import { fields, readJson } from './json-file.ts'
import type { VisionConfig } from './source.ts'

/** `model_type` of the models whose encoder is known. */
export const VISION_MODELS: ReadonlySet<string> = new Set(['idefics3', 'smolvlm'])

/** Undefined when the model has no encoder. Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported`. */
export function hfVisionConfig(directory: string): VisionConfig | undefined {
  const path = join(directory, 'config.json')
  const top = readJson(path)
  if (!VISION_MODELS.has(String(top['model_type']))) return undefined
  const raw = fields(top['vision_config'])
  const whole = (name: string, otherwise: number) => wholeNumber(raw[name] ?? otherwise, `vision_config.${name}`, path)
  const config: VisionConfig = {
    imageSize: whole('image_size', 224),
    patchSize: whole('patch_size', 32),
    hiddenSize: whole('hidden_size', 1152),
    intermediateSize: whole('intermediate_size', 3072),
    layers: whole('num_hidden_layers', 12),
    heads: whole('num_attention_heads', 16),
    layerNormEps: typeof raw['layer_norm_eps'] === 'number' ? raw['layer_norm_eps'] : 1e-6,
    scaleFactor: wholeNumber(top['scale_factor'] ?? 2, 'scale_factor', path),
    outputSize: wholeNumber(fields(top['text_config'])['hidden_size'], 'text_config.hidden_size', path),
  }
  const { imageSize, patchSize, hiddenSize, heads, layers, scaleFactor, layerNormEps } = config
  const act = raw['hidden_act'] ?? 'gelu_pytorch_tanh'
  if (act !== 'gelu_pytorch_tanh') throw unsupported(path, `the activation ${JSON.stringify(act)} in its encoder`)
  if ((raw['num_channels'] ?? 3) !== 3) throw unsupported(path, 'pictures of other than three channels')
  if (layers > 4096 || imageSize > 8192) throw invalidConfig(path, 'its encoder is of an absurd size')
  if (imageSize % (patchSize * scaleFactor) !== 0) {
    const cut = `patches of ${patchSize}, ${scaleFactor} a token`
    throw invalidConfig(path, `tiles of ${imageSize} pixels are not cut by ${cut}`)
  }
  if (hiddenSize % heads !== 0) throw invalidConfig(path, `${heads} heads do not divide ${hiddenSize}`)
  if (!(layerNormEps >= 0 && layerNormEps < 1)) throw invalidConfig(path, `layer_norm_eps ${layerNormEps}`)
  return config
}
