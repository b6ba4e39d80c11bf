/**
 * A Llama of a few hundred numbers, in both file formats, with weights from a counter: for loader tests.
 * @module
 */
import { ggufBytes, type GgufTensor, type GgufValue, safetensorsBytes } from './model-files.ts'

export const TINY = { vocab: 12, hidden: 8, inter: 16, layers: 2, heads: 2, kvHeads: 1, dim: 4 }

/** config.json of the tiny model. */
export const tinyConfig = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  model_type: 'llama',
  vocab_size: TINY.vocab,
  hidden_size: TINY.hidden,
  intermediate_size: TINY.inter,
  num_hidden_layers: TINY.layers,
  num_attention_heads: TINY.heads,
  num_key_value_heads: TINY.kvHeads,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: 2,
  ...more,
})

/** Metadata of the tiny model as GGUF. */
export const tinyMetadata = (more: Record<string, GgufValue> = {}, arch = 'llama'): Record<string, GgufValue> => ({
  'general.architecture': ['string', arch],
  [`${arch}.context_length`]: ['u32', 64],
  [`${arch}.embedding_length`]: ['u32', TINY.hidden],
  [`${arch}.block_count`]: ['u32', TINY.layers],
  [`${arch}.feed_forward_length`]: ['u32', TINY.inter],
  [`${arch}.attention.head_count`]: ['u32', TINY.heads],
  [`${arch}.attention.head_count_kv`]: ['u32', TINY.kvHeads],
  [`${arch}.attention.layer_norm_rms_epsilon`]: ['f32', 1e-5],
  [`${arch}.rope.freq_base`]: ['f32', 10000],
  'tokenizer.ggml.bos_token_id': ['u32', 1],
  'tokenizer.ggml.eos_token_id': ['u32', 2],
  ...more,
})

/** Each tensor: names in both formats, shape, values that differ everywhere. */
export function tinyTensors(): { hf: string; gguf: string; shape: number[]; values: Float32Array; heads?: number }[] {
  const { vocab, hidden, inter, layers, heads, kvHeads, dim } = TINY
  let seed = 1
  const make = (hf: string, gguf: string, shape: number[], turned?: number) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.fround(Math.sin(seed++)))
    return { hf: `model.${hf}.weight`, gguf: `${gguf}.weight`, shape, values, ...(turned ? { heads: turned } : {}) }
  }
  const all = [make('embed_tokens', 'token_embd', [vocab, hidden]), make('norm', 'output_norm', [hidden])]
  for (let l = 0; l < layers; l++) {
    const own = (hf: string, gguf: string, shape: number[], turned?: number) =>
      all.push(make(`layers.${l}.${hf}`, `blk.${l}.${gguf}`, shape, turned))
    own('input_layernorm', 'attn_norm', [hidden])
    own('self_attn.q_proj', 'attn_q', [heads * dim, hidden], heads)
    own('self_attn.k_proj', 'attn_k', [kvHeads * dim, hidden], kvHeads)
    own('self_attn.v_proj', 'attn_v', [kvHeads * dim, hidden])
    own('self_attn.o_proj', 'attn_output', [hidden, heads * dim])
    own('post_attention_layernorm', 'ffn_norm', [hidden])
    own('mlp.gate_proj', 'ffn_gate', [inter, hidden])
    own('mlp.up_proj', 'ffn_up', [inter, hidden])
    own('mlp.down_proj', 'ffn_down', [hidden, inter])
  }
  return all
}

const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.slice().buffer)

/** model.safetensors of the tiny model. */
export const tinySafetensors = (): Buffer =>
  safetensorsBytes(Object.fromEntries(
    tinyTensors().map(({ hf, shape, values }) => [hf, { dtype: 'F32', shape, data: bytesOf(values) }]),
  ))

/** The tiny model as llama.cpp would write it: q and k rows in adjacent-pair order when `permuted`. */
export function tinyGguf(metadata = tinyMetadata(), permuted = true, more: GgufTensor[] = []): Buffer {
  const tensors = tinyTensors().map(({ gguf, shape, values, heads }) => ({
    name: gguf,
    type: 0,
    shape,
    data: bytesOf(permuted && heads ? permuteRows(values, heads, TINY.dim) : values),
  }))
  return ggufBytes(metadata, [...tensors, ...more])
}

/** What llama.cpp's converter does: view as [heads, 2, dim/2, columns], swap the middle axes. */
function permuteRows(values: Float32Array, heads: number, dim: number): Float32Array {
  const columns = values.length / (heads * dim)
  const out: number[] = []
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < dim / 2; i++) {
      for (let j = 0; j < 2; j++) {
        const row = h * dim + j * (dim / 2) + i
        out.push(...values.subarray(row * columns, (row + 1) * columns))
      }
    }
  }
  return Float32Array.from(out)
}
