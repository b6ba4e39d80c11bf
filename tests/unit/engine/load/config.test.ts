import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GgufFile } from '../../../../runtime/engine/load/gguf.ts'
import { ggufDecoderConfig } from '../../../../runtime/engine/load/gguf-config.ts'
import { hfDecoderConfig } from '../../../../runtime/engine/load/hf-config.ts'
import { llama3Divisors } from '../../../../runtime/engine/load/rope.ts'
import type { DecoderConfig } from '../../../../runtime/engine/load/source.ts'
import {
  ggufBytes,
  type GgufTensor,
  type GgufValue,
  temporaryDirectory,
  writeDirectory,
} from '../../../helpers/model-files.ts'
import { tinyConfig, tinyMetadata } from '../../../helpers/tiny-model.ts'

const root = temporaryDirectory()
let count = 0

const hf = (more: Record<string, unknown>, generation?: Record<string, unknown>): DecoderConfig =>
  hfDecoderConfig(writeDirectory(root, `hf-${count++}`, {
    'config.json': tinyConfig(more),
    ...(generation ? { 'generation_config.json': generation } : {}),
  }))

function gguf(more: Record<string, GgufValue>, arch = 'llama', tensors: GgufTensor[] = []): DecoderConfig {
  const path = join(root, `${count++}.gguf`)
  writeFileSync(
    path,
    ggufBytes(
      tinyMetadata({ 'llama.vocab_size': ['u32', 12], 'qwen2.vocab_size': ['u32', 12], ...more }, arch),
      tensors,
    ),
  )
  const file = new GgufFile(path)
  try {
    return ggufDecoderConfig(file)
  } finally {
    file.close()
  }
}

const LLAMA3 = { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContextLength: 8192 } as const

describe('hfDecoderConfig()', () => {
  test('takes RoPE as transformers 4 and as transformers 5 write it', () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 }
    const four = hf({ rope_theta: 500000, rope_scaling: { ...scaling, rope_type: 'llama3' } })
    const five = hf({ rope_parameters: { ...scaling, rope_type: 'llama3', rope_theta: 500000 } })
    for (const config of [four, five]) expect(config).toMatchObject({ ropeTheta: 500000, ropeScaling: LLAMA3 })
    expect(hf({ rope_scaling: { type: 'linear', factor: 2 } }).ropeScaling).toEqual({ type: 'linear', factor: 2 })
    expect(hf({ rope_scaling: null }).ropeScaling).toBeUndefined()
    expect(hf({ rope_scaling: { rope_type: 'default' } }).ropeScaling).toBeUndefined()
    expect(() => hf({ rope_scaling: { rope_type: 'yarn', factor: 4 } })).toThrow(/yarn/)
    expect(() => hf({ rope_scaling: { rope_type: 'llama3', factor: 8 } })).toThrow(/low_freq_factor/)
  })

  test('Mistral slides in every layer, unless sliding_window is null', () => {
    expect(hf({ model_type: 'mistral', sliding_window: 16 }).slidingWindow).toEqual([16, 16])
    expect(hf({ model_type: 'mistral', sliding_window: null }).slidingWindow).toEqual([undefined, undefined])
    expect(hf({ model_type: 'mistral' }).slidingWindow).toEqual([4096, 4096])
  })

  test('Qwen slides only with use_sliding_window, from max_window_layers on or by layer_types', () => {
    const qwen = { model_type: 'qwen2', sliding_window: 16 }
    expect(hf({ ...qwen, use_sliding_window: false, max_window_layers: 0 }).slidingWindow).toEqual([
      undefined,
      undefined,
    ])
    expect(hf({ ...qwen, use_sliding_window: true, max_window_layers: 1 }).slidingWindow).toEqual([undefined, 16])
    const layerTypes = ['sliding_attention', 'full_attention']
    expect(hf({ ...qwen, use_sliding_window: true, layer_types: layerTypes }).slidingWindow).toEqual([16, undefined])
    expect(() => hf({ ...qwen, layer_types: ['full_attention'] })).toThrow(/layer_types/)
    expect(() => hf({ ...qwen, layer_types: ['linear_attention', 'full_attention'] })).toThrow(/linear_attention/)
  })

  test('head_dim, key-value heads and end tokens', () => {
    expect(hf({ head_dim: 6 }).headDim).toBe(6)
    expect(hf({}).headDim).toBe(4)
    expect(hf({ model_type: 'qwen3' }).headDim).toBe(128)
    expect(hf({ num_key_value_heads: undefined }).kvHeads).toBe(2)
    expect(hf({ eos_token_id: [2, 3] }, { eos_token_id: [3, 4] }).endTokens).toEqual([2, 3, 4])
    expect(hf({ eos_token_id: null }, { eos_token_id: 5 }).endTokens).toEqual([5])
    expect(hf({ eos_token_id: 50256, bos_token_id: 50256 })).toMatchObject({ endTokens: [], bosToken: undefined })
  })

  test.each<[string, Record<string, unknown>]>([
    ['hidden_size', { hidden_size: -1 }],
    ['num_hidden_layers', { num_hidden_layers: 1e9 }],
    ['vocab_size', { vocab_size: '12' }],
    ['key-value heads', { num_attention_heads: 3, num_key_value_heads: 2, head_dim: 4 }],
    ['odd', { head_dim: 5 }],
    ['headDim', { head_dim: 4098 }],
    ['RoPE base', { rope_theta: 0.5 }],
    ['gelu', { hidden_act: 'gelu' }],
    ['biases', { mlp_bias: true }],
    ['quantization_config', { quantization_config: { quant_method: 'awq' } }],
    ['partial_rotary_factor', { partial_rotary_factor: 0.5 }],
  ])('refuses what it cannot believe or compute: %s', (word, more) => {
    expect(() => hf(more)).toThrow(new RegExp(word))
  })
})

describe('ggufDecoderConfig()', () => {
  test('reads the keys of an architecture', () => {
    expect(gguf({})).toMatchObject({
      family: 'llama',
      vocabSize: 12,
      headDim: 4,
      contextLength: 64,
      kvHeads: 1,
      endTokens: [2],
    })
    expect(gguf({ 'llama.attention.key_length': ['u32', 8] }).headDim).toBe(8)
    expect(gguf({ 'llama.attention.head_count_kv': ['i32s', [1, 1]] }).kvHeads).toBe(1)
    expect(gguf({ 'llama.context_length': ['u64', 128n] }).contextLength).toBe(128)
    expect(gguf({ 'qwen2.attention.sliding_window': ['u32', 9] }, 'qwen2').slidingWindow).toEqual([9, 9])
    expect(() => gguf({ 'llama.embedding_length': ['string', 'many'] })).toThrow(/embedding_length/)
    expect(() => gguf({ 'llama.expert_count': ['u32', 8] })).toThrow(/experts/)
    expect(() => gguf({ 'llama.rope.dimension_count': ['u32', 2] })).toThrow(/RoPE/)
  })

  test('end tokens come from metadata and from the text of control tokens', () => {
    const tokens = ['<unk>', '<s>', '</s>', '<|im_end|>', '<|endoftext|>', 'a', 'b', 'c', 'd', 'e', 'f', 'g']
    const types = [2, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1]
    const config = gguf({
      'tokenizer.ggml.tokens': ['strings', tokens],
      'tokenizer.ggml.token_type': ['i32s', types],
      'tokenizer.ggml.eot_token_id': ['u32', 5],
    })
    expect(config.endTokens).toEqual([2, 5, 3])
  })

  test('RoPE scaling: linear by factor, Llama-3 recovered from its divisors, others refused', () => {
    const linear = { 'llama.rope.scaling.type': ['string', 'linear'], 'llama.rope.scaling.factor': ['f32', 4] } as const
    expect(gguf({ ...linear } as never).ropeScaling).toEqual({ type: 'linear', factor: 4 })
    expect(() => gguf({ 'llama.rope.scaling.type': ['string', 'yarn'] })).toThrow(/yarn/)
    const wide = { 'llama.attention.key_length': ['u32', 128], 'llama.rope.freq_base': ['f32', 500000] } as const
    const divisors = (values: number[]): GgufTensor => ({
      name: 'rope_freqs.weight',
      type: 0,
      shape: [values.length],
      data: new Uint8Array(Float32Array.from(values).buffer),
    })
    const real = llama3Divisors(LLAMA3, 500000, 128)
    expect(gguf({ ...wide } as never, 'llama', [divisors(real)]).ropeScaling).toEqual(LLAMA3)
    expect(gguf({ ...wide } as never, 'llama', [divisors(real.map(() => 1))]).ropeScaling).toBeUndefined()
    expect(() => gguf({ ...wide } as never, 'llama', [divisors(real.map((d) => d * 1.1))])).toThrow(/rope_freqs/)
    expect(() => gguf({ ...wide } as never, 'llama', [divisors(real.slice(1))])).toThrow(/shape/)
  })
})
