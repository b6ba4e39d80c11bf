/**
 * Canonical tensor names: what each format calls them, and the shape each must have. Knows nothing of files.
 * @module
 */
import type { DecoderConfig, TensorName } from './source.ts'

/** Names of one layer's tensors: canonical, Hugging Face, GGUF. */
const LAYER: readonly [canonical: string, hf: string, gguf: string][] = [
  ['attnNorm', 'input_layernorm.weight', 'attn_norm.weight'],
  ['q', 'self_attn.q_proj.weight', 'attn_q.weight'],
  ['k', 'self_attn.k_proj.weight', 'attn_k.weight'],
  ['v', 'self_attn.v_proj.weight', 'attn_v.weight'],
  ['o', 'self_attn.o_proj.weight', 'attn_output.weight'],
  ['qBias', 'self_attn.q_proj.bias', 'attn_q.bias'],
  ['kBias', 'self_attn.k_proj.bias', 'attn_k.bias'],
  ['vBias', 'self_attn.v_proj.bias', 'attn_v.bias'],
  ['oBias', 'self_attn.o_proj.bias', 'attn_output.bias'],
  ['qNorm', 'self_attn.q_norm.weight', 'attn_q_norm.weight'],
  ['kNorm', 'self_attn.k_norm.weight', 'attn_k_norm.weight'],
  ['ffnNorm', 'post_attention_layernorm.weight', 'ffn_norm.weight'],
  ['gate', 'mlp.gate_proj.weight', 'ffn_gate.weight'],
  ['up', 'mlp.up_proj.weight', 'ffn_up.weight'],
  ['down', 'mlp.down_proj.weight', 'ffn_down.weight'],
]

/** How a file calls a canonical name. */
export type NameOf = (name: TensorName) => string

/** Splits `12.q` into its layer and its own name; a name outside layers has no layer. */
export function splitName(name: TensorName): { layer: number | undefined; own: string } {
  const dot = name.indexOf('.')
  return dot < 0 ? { layer: undefined, own: name } : { layer: Number(name.slice(0, dot)), own: name.slice(dot + 1) }
}

/** Hugging Face's names; `prefix` is `model.` unless the file was saved without its head. */
export function hfNames(prefix: string): NameOf {
  const top: Record<string, string> = {
    embed: `${prefix}embed_tokens.weight`,
    norm: `${prefix}norm.weight`,
    head: 'lm_head.weight',
  }
  return named(top, new Map(LAYER.map(([own, hf]) => [own, hf])), (layer) => `${prefix}layers.${layer}.`)
}

/** llama.cpp's names. */
export const ggufNames: NameOf = named(
  { embed: 'token_embd.weight', norm: 'output_norm.weight', head: 'output.weight' },
  new Map(LAYER.map(([own, , gguf]) => [own, gguf])),
  (layer) => `blk.${layer}.`,
)

function named(top: Record<string, string>, inLayer: Map<string, string>, prefix: (layer: number) => string): NameOf {
  return (name) => {
    const { layer, own } = splitName(name)
    const found = layer === undefined ? top[own] : inLayer.get(own)
    return found === undefined ? '' : layer === undefined ? found : prefix(layer) + found
  }
}

/** Canonical names with the shape each must have, and whether the model can do without. */
export type ExpectedTensors = Map<TensorName, { shape: number[]; optional: boolean }>

/** Every tensor a decoder of this configuration may have: its shape, and whether it can do without. */
export function expectedTensors(config: DecoderConfig): ExpectedTensors {
  const { hiddenSize: hidden, intermediateSize: inter, vocabSize, headDim } = config
  const q = config.heads * headDim
  const kv = config.kvHeads * headDim
  const expected: ExpectedTensors = new Map()
  const add = (name: TensorName, shape: number[], optional = false) => expected.set(name, { shape, optional })
  add('embed', [vocabSize, hidden])
  add('norm', [hidden])
  if (!config.tiedEmbeddings) add('head', [vocabSize, hidden])
  const biased = config.family === 'qwen2'
  const normed = config.family === 'qwen3'
  for (let layer = 0; layer < config.layers; layer++) {
    const own = (name: string, shape: number[], optional = false) => add(`${layer}.${name}`, shape, optional)
    own('attnNorm', [hidden])
    own('q', [q, hidden])
    own('k', [kv, hidden])
    own('v', [kv, hidden])
    own('o', [hidden, q])
    own('qBias', [q], !biased)
    own('kBias', [kv], !biased)
    own('vBias', [kv], !biased)
    own('oBias', [hidden], true)
    own('qNorm', [headDim], !normed)
    own('kNorm', [headDim], !normed)
    own('ffnNorm', [hidden])
    own('gate', [inter, hidden])
    own('up', [inter, hidden])
    own('down', [hidden, inter])
  }
  return expected
}
