/**
 * GGUF metadata as a DecoderConfig. Knows the keys and llama.cpp's habits; reads no weights but the RoPE divisors.
 * @module
 */
import { checkConfig, familyOf, unsupported, wholeNumber } from './config-check.ts'
import type { GgufFile } from './gguf.ts'
import { recoverLlama3 } from './rope.ts'
import type { DecoderConfig } from './source.ts'
import { readTensor } from './tensor.ts'

/**
 * Tokens that end a turn by their text, as llama.cpp takes them: older files name only one of a model's end tokens.
 */
const TURN_ENDS = new Set([
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|eom_id|>',
  '<EOT>',
  '_<EOT>',
  '<｜end▁of▁sentence｜>',
  '<end_of_utterance>',
])

/** tokenizer.ggml.token_type of control tokens. */
const CONTROL = 3

/** Errors: `model_file_invalid`, `model_unsupported` (architecture, RoPE variant). */
export function ggufDecoderConfig(gguf: GgufFile): DecoderConfig {
  const path = gguf.file.path
  const architecture = gguf.text('general.architecture')
  // Mistral is written as llama: the same mathematics.
  const family = familyOf(architecture, path)
  const key = (name: string) => `${architecture}.${name}`
  const number = (name: string) => gguf.number(key(name)) ?? perLayer(gguf, key(name))
  const whole = (name: string) => wholeNumber(number(name), key(name), path)
  const heads = whole('attention.head_count')
  const hiddenSize = whole('embedding_length')
  const layers = wholeNumber(gguf.number(key('block_count')), key('block_count'), path, 4096)
  const headDim = gguf.number(key('attention.key_length')) ?? Math.floor(hiddenSize / heads)
  const window = gguf.number(key('attention.sliding_window')) || undefined
  const ropeTheta = gguf.number(key('rope.freq_base')) ?? 10000
  const contextLength = whole('context_length')
  if ((gguf.number(key('expert_count')) ?? 0) > 0) throw unsupported(path, 'a mixture of experts')
  if ((gguf.number(key('attention.value_length')) ?? headDim) !== headDim) {
    throw unsupported(path, 'values of another size than keys')
  }
  if ((gguf.number(key('rope.dimension_count')) ?? headDim) !== headDim) {
    throw unsupported(path, 'RoPE on a part of the head')
  }
  return checkConfig({
    family,
    vocabSize: wholeNumber(gguf.tensors.get('token_embd.weight')?.shape[0] ?? vocabSize(gguf), 'vocabulary size', path),
    hiddenSize,
    intermediateSize: whole('feed_forward_length'),
    layers,
    heads,
    kvHeads: number('attention.head_count_kv') === undefined ? heads : whole('attention.head_count_kv'),
    headDim,
    rmsNormEps: gguf.number(key('attention.layer_norm_rms_epsilon')) ?? 1e-5,
    contextLength,
    ropeTheta,
    ropeScaling: ropeScaling(gguf, key, ropeTheta, headDim, contextLength),
    slidingWindow: Array.from({ length: layers }, () => window),
    tiedEmbeddings: !gguf.tensors.has('output.weight'),
    bosToken: gguf.number('tokenizer.ggml.bos_token_id'),
    endTokens: ggufEndTokens(gguf),
  }, path)
}

/** Rows of the vocabulary, as metadata tell. */
export function vocabSize(gguf: GgufFile): number | undefined {
  return gguf.texts('tokenizer.ggml.tokens')?.length ?? gguf.number(`${gguf.text('general.architecture')}.vocab_size`)
}

/** End tokens that metadata name, and control tokens whose text says that they end a turn. */
export function ggufEndTokens(gguf: GgufFile): number[] {
  const named = ['eos', 'eot', 'eom'].map((name) => gguf.number(`tokenizer.ggml.${name}_token_id`))
  const types = gguf.numbers('tokenizer.ggml.token_type')
  const tokens = types ? gguf.texts('tokenizer.ggml.tokens') ?? [] : []
  const known = tokens.flatMap((text, id) => (types?.[id] === CONTROL && TURN_ENDS.has(text) ? [id] : []))
  return [...new Set([...named, ...known])].filter((id) => id !== undefined)
}

/** A value that some files write once a layer; undefined when it is absent or differs between layers. */
function perLayer(gguf: GgufFile, key: string): number | undefined {
  const values = gguf.numbers(key)
  return values?.every((value) => value === values[0]) ? values[0] : undefined
}

function ropeScaling(
  gguf: GgufFile,
  key: (name: string) => string,
  ropeTheta: number,
  headDim: number,
  contextLength: number,
): DecoderConfig['ropeScaling'] {
  const path = gguf.file.path
  const type = gguf.text(key('rope.scaling.type')) ?? 'none'
  const factor = gguf.number(key('rope.scaling.factor')) ?? gguf.number(key('rope.scale_linear')) ?? 1
  const divisors = gguf.tensors.get('rope_freqs.weight')
  if (divisors) {
    if (divisors.shape.join() !== String(headDim / 2)) throw unsupported(path, 'RoPE divisors of an unusual shape')
    const original = gguf.number(key('rope.scaling.original_context_length')) ?? contextLength
    const list = Array.from(readTensor(divisors, 'rope_freqs.weight'))
    const found = recoverLlama3(list, ropeTheta, headDim, [original, contextLength])
    if (found === 'unknown') throw unsupported(path, 'RoPE divisors (rope_freqs.weight) that are not Llama-3 scaling')
    return found
  }
  if (type === 'none' || (type === 'linear' && factor === 1)) return undefined
  if (type === 'linear' && factor > 0 && Number.isFinite(factor)) return { type, factor }
  throw unsupported(path, `RoPE scaling of type ${JSON.stringify(type)} and factor ${factor}`)
}
