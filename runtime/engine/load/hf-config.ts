/**
 * A Hugging Face config.json (of transformers 4 or 5) as a DecoderConfig. Defaults for absent keys are those of
 * transformers' configuration classes. Knows no weights.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { checkConfig, familyOf, invalidConfig, unsupported, wholeNumber } from './config-check.ts'
import { fields, readJson, tokenIds } from './json-file.ts'
import { hfRope } from './rope.ts'
import type { DecoderConfig } from './source.ts'
import { VISION_MODELS } from './vision-config.ts'

type Raw = Record<string, unknown>

/** What transformers assumes where config.json is silent; the rest has no default worth believing. */
const DEFAULTS: Record<DecoderConfig['family'], { contextLength: number; slidingWindow?: number; headDim?: number }> = {
  llama: { contextLength: 2048 },
  mistral: { contextLength: 131072, slidingWindow: 4096 },
  qwen2: { contextLength: 32768, slidingWindow: 4096 },
  qwen3: { contextLength: 32768, slidingWindow: 4096, headDim: 128 },
}

/** config.json and generation_config.json. Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported`. */
export function hfDecoderConfig(directory: string): DecoderConfig {
  const path = join(directory, 'config.json')
  const raw = decoderPart(readJson(path))
  const family = familyOf(raw['model_type'], path)
  const whole = (name: string) => wholeNumber(raw[name], name, path)
  const heads = whole('num_attention_heads')
  const layers = wholeNumber(raw['num_hidden_layers'], 'num_hidden_layers', path, 4096)
  const hiddenSize = whole('hidden_size')
  refuseVariants(raw, path)
  return checkConfig({
    family,
    vocabSize: whole('vocab_size'),
    hiddenSize,
    intermediateSize: whole('intermediate_size'),
    layers,
    heads,
    kvHeads: raw['num_key_value_heads'] == null ? heads : whole('num_key_value_heads'),
    headDim: raw['head_dim'] == null ? DEFAULTS[family].headDim ?? Math.floor(hiddenSize / heads) : whole('head_dim'),
    rmsNormEps: typeof raw['rms_norm_eps'] === 'number' ? raw['rms_norm_eps'] : 1e-6,
    contextLength: raw['max_position_embeddings'] == null
      ? DEFAULTS[family].contextLength
      : whole('max_position_embeddings'),
    ...hfRope(raw, path),
    slidingWindow: slidingWindows(raw, family, layers, path),
    tiedEmbeddings: raw['tie_word_embeddings'] === true,
    bosToken: tokenIds(raw['bos_token_id'])[0],
    endTokens: hfEndTokens(raw, directory),
  }, path)
}

/** Models that see keep their decoder's numbers one level down; whether embeddings are tied is told above. */
function decoderPart(top: Raw): Raw {
  if (!VISION_MODELS.has(String(top['model_type']))) return top
  return { ...fields(top['text_config']), tie_word_embeddings: top['tie_word_embeddings'] ?? false }
}

/** End tokens of config.json (already read) and of generation_config.json, where either names some. */
export function hfEndTokens(config: Raw, directory: string): number[] {
  const path = join(directory, 'generation_config.json')
  const generation = existsSync(path) ? readJson(path) : {}
  return [...new Set([...tokenIds(config['eos_token_id']), ...tokenIds(generation['eos_token_id'])])]
}

function refuseVariants(raw: Raw, path: string): void {
  const act = raw['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw unsupported(path, `the activation ${JSON.stringify(act)}`)
  if (raw['mlp_bias'] === true) throw unsupported(path, 'biases in the feed-forward layers')
  if (raw['quantization_config'] != null) throw unsupported(path, 'quantised safetensors (quantization_config)')
}

/** Window per layer, or none. Qwen's is off unless `use_sliding_window`; then it is on from `max_window_layers` on. */
function slidingWindows(
  raw: Raw,
  family: DecoderConfig['family'],
  layers: number,
  path: string,
): (number | undefined)[] {
  const qwen = family === 'qwen2' || family === 'qwen3'
  const value = raw['sliding_window'] === undefined ? DEFAULTS[family].slidingWindow : raw['sliding_window']
  const off = value == null || family === 'llama' || (qwen && raw['use_sliding_window'] !== true)
  const window = off ? undefined : wholeNumber(value, 'sliding_window', path)
  const types = raw['layer_types']
  if (types != null && (!Array.isArray(types) || types.length !== layers)) {
    throw invalidConfig(path, `layer_types does not list ${layers} layers`)
  }
  const first = qwen ? Number(raw['max_window_layers'] ?? 28) : 0
  return Array.from({ length: layers }, (_, layer) => {
    if (!Array.isArray(types)) return layer >= first ? window : undefined
    if (types[layer] === 'sliding_attention') return window
    if (types[layer] === 'full_attention') return undefined
    throw unsupported(path, `layers of type ${JSON.stringify(types[layer])}`)
  })
}
