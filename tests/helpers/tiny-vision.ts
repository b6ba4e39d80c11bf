/**
 * A model that sees, of a few thousand numbers, as files.
 * @module
 */
import { safetensorsBytes } from './model-files.ts'
import { TINY, tinyConfig, tinyTensors } from './tiny-model.ts'

/** Tiles of 16 pixels, patches of 4, two by two of them a token: 4 tokens a tile. */
const VISION = { image_size: 16, patch_size: 4, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2, num_attention_heads: 2 }

/** config.json around the tiny decoder. */
export const seeingConfig = (more: Record<string, unknown> = {}, vision: Record<string, unknown> = {}) => ({
  model_type: 'smolvlm',
  scale_factor: 2,
  image_token_id: 3,
  text_config: tinyConfig({ tie_word_embeddings: undefined }),
  vision_config: { ...VISION, ...vision },
  ...more,
})

/** preprocessor_config.json as transformers 4 wrote it. */
export const smolvlmProcessor = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  image_processor_type: 'SmolVLMImageProcessor',
  do_image_splitting: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  resample: 1,
  rescale_factor: 1 / 255,
  max_image_size: { longest_edge: 16 },
  size: { longest_edge: 48 },
  ...more,
})

/** The encoder's tensors as files name them, with their shapes. */
function encoderShapes(): Record<string, number[]> {
  const { hidden_size: hidden, intermediate_size: inter, num_hidden_layers: layers } = VISION
  const shapes: Record<string, number[]> = {
    'vision_model.embeddings.patch_embedding.weight': [hidden, 3, 4, 4],
    'vision_model.embeddings.patch_embedding.bias': [hidden],
    'vision_model.embeddings.position_embedding.weight': [16, hidden],
    'vision_model.post_layernorm.weight': [hidden],
    'vision_model.post_layernorm.bias': [hidden],
    'connector.modality_projection.proj.weight': [TINY.hidden, hidden * 4],
  }
  for (let layer = 0; layer < layers; layer++) {
    const add = (name: string, out: number, ...inner: number[]) => {
      shapes[`vision_model.encoder.layers.${layer}.${name}.weight`] = [out, ...inner]
      shapes[`vision_model.encoder.layers.${layer}.${name}.bias`] = [out]
    }
    for (const name of ['layer_norm1', 'layer_norm2']) add(name, hidden)
    for (const name of ['q_proj', 'k_proj', 'v_proj', 'out_proj']) add(`self_attn.${name}`, hidden, hidden)
    add('mlp.fc1', inter, hidden)
    add('mlp.fc2', hidden, inter)
  }
  return shapes
}

type ShapeChange = Record<string, number[] | undefined>

function encoderTensors(prefix: string, change: ShapeChange = {}) {
  let seed = 1
  return Object.fromEntries(
    Object.entries({ ...encoderShapes(), ...change }).flatMap(([name, shape]) => {
      if (shape === undefined) return []
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.sin(seed++))
      return [[prefix + name, { dtype: 'F32', shape, data: new Uint8Array(values.buffer) }]]
    }),
  )
}

/** model.safetensors with the encoder alone. `change` may alter or leave out (undefined) a shape. */
export const encoderSafetensors = (prefix: string, change: ShapeChange = {}): Buffer =>
  safetensorsBytes(encoderTensors(prefix, change))

/** A whole model that sees, as the files of its directory: the tiny decoder and an encoder, 512 tokens of context. */
export function seeingFiles(): Record<string, unknown> {
  const decoder = tinyTensors().map(({ hf, shape, values }) => [
    hf.replace(/^model\./, 'model.text_model.'),
    { dtype: 'F32', shape, data: new Uint8Array(values.slice().buffer) },
  ])
  return {
    'config.json': seeingConfig({ tie_word_embeddings: true, text_config: tinyConfig({ max_position_embeddings: 512 }) }),
    'preprocessor_config.json': smolvlmProcessor(),
    'model.safetensors': safetensorsBytes({ ...Object.fromEntries(decoder), ...encoderTensors('model.') }),
  }
}
