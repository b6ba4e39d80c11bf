/**
 * The text side of a GGUF file: its vocabulary as the tokenizer.json it was made from, and its chat template.
 * Reads metadata only.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { GgufFile } from '../load/gguf.ts'
import { ggufEndTokens, vocabSize } from '../load/gguf-config.ts'
import type { AddedToken, TextParts, TokenizerJson } from './parts.ts'
import { preTokenizer } from './pre-tokenizers.ts'
import { spmMerges } from './spm.ts'

/** Values of tokenizer.ggml.token_type. */
const UNKNOWN = 2
const CONTROL = 3
const USER_DEFINED = 4

const SPACE = '\u2581'
const ROLES = { bos: 'bos_token', eos: 'eos_token', unknown: 'unk_token', padding: 'pad_token' } as const

/** Errors: `model_file_invalid`, `model_unsupported` (kind of vocabulary, pre-tokenizer). */
export function ggufText(gguf: GgufFile, name: string): TextParts {
  const architecture = gguf.text('general.architecture')
  const pieces = gguf.texts('tokenizer.ggml.tokens') ?? []
  const { tokenizer, addBos } = readTokenizer(gguf, pieces)
  const idOf = (role: string) => {
    const id = gguf.number(`tokenizer.ggml.${role}_token_id`)
    // Some files write an id beyond the vocabulary where there is none.
    return id !== undefined && (pieces.length === 0 || id < pieces.length) ? id : undefined
  }
  const templateTokens: Record<string, string> = {}
  for (const [role, key] of Object.entries(ROLES)) {
    const text = pieces[idOf(role) ?? -1]
    if (text !== undefined) templateTokens[key] = text
  }
  const endTokens = ggufEndTokens(gguf)
  const bos = idOf('bos')
  const named = [...Object.keys(ROLES).map(idOf), ...endTokens].filter((id) => id !== undefined)
  const addsBos = gguf.flag('tokenizer.ggml.add_bos_token') ?? addBos
  return {
    name,
    vocabSize: gguf.tensors.get('token_embd.weight')?.shape[0] ?? vocabSize(gguf) ?? pieces.length,
    contextLength: gguf.number(`${architecture}.context_length`) ?? 2048,
    endTokens,
    tokenizer,
    roleTokens: [...new Set(named)],
    prefix: addsBos && bos !== undefined ? [bos] : [],
    chatTemplate: gguf.text('tokenizer.chat_template'),
    templateTokens,
  }
}

function readTokenizer(gguf: GgufFile, pieces: string[]): { tokenizer: TextParts['tokenizer']; addBos: boolean } {
  const path = gguf.file.path
  const model = gguf.text('tokenizer.ggml.model')
  if (model === undefined || model === 'none' || model === 'no_vocab') {
    const missing = { missing: 'its file has no vocabulary', remedy: 'send token ids as `prompt`.' }
    return { tokenizer: missing, addBos: false }
  }
  const types = gguf.numbers('tokenizer.ggml.token_type') ?? pieces.map(() => 1)
  if (types.length !== pieces.length) throw invalid(path, `${pieces.length} tokens have ${types.length} types`)
  if (model === 'gpt2') return byteLevel(gguf, pieces, types)
  if (model === 'llama') return { tokenizer: sentencePiece(gguf, pieces, types), addBos: true }
  throw new VolleyError('model_unsupported', `The tokenizer of ${path} is of the kind ${JSON.stringify(model)}`, {
    remedy: 'use a model with a tokenizer of the kind gpt2 (byte-level BPE) or llama (SentencePiece BPE).',
    param: path,
  })
}

function byteLevel(gguf: GgufFile, pieces: string[], types: number[]): { tokenizer: TokenizerJson; addBos: boolean } {
  const pre = preTokenizer(gguf.text('tokenizer.ggml.pre'), gguf.file.path)
  const merges = gguf.texts('tokenizer.ggml.merges')
  if (!merges) throw invalid(gguf.file.path, 'its merges are missing')
  const tokenizer: TokenizerJson = {
    added_tokens: addedTokens(pieces, types),
    model: { type: 'BPE', vocab: vocabulary(pieces), merges, ignore_merges: pre.ignoreMerges },
    normalizer: pre.normalizer,
    pre_tokenizer: pre.pre_tokenizer,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
  }
  return { tokenizer, addBos: pre.addBos }
}

function sentencePiece(gguf: GgufFile, pieces: string[], types: number[]): TokenizerJson {
  const scores = gguf.numbers('tokenizer.ggml.scores')
  if (!scores || scores.length !== pieces.length) throw invalid(gguf.file.path, 'its tokens have no scores')
  const prefixed = gguf.flag('tokenizer.ggml.add_space_prefix') ?? true
  const unknown = pieces[gguf.number('tokenizer.ggml.unknown_token_id') ?? 0]
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: SPACE }
  const decoders = [
    { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(prefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
  ]
  return {
    // Added tokens are matched in the text before spaces are replaced.
    added_tokens: addedTokens(pieces.map((piece) => piece.replaceAll(SPACE, ' ')), types),
    model: {
      type: 'BPE',
      vocab: vocabulary(pieces),
      merges: spmMerges(pieces, scores, types),
      byte_fallback: true,
      fuse_unk: true,
      unk_token: unknown,
    },
    normalizer: {
      type: 'Sequence',
      normalizers: prefixed ? [{ type: 'Prepend', prepend: SPACE }, replace] : [replace],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: 'Sequence', decoders },
  }
}

function vocabulary(pieces: string[]): Record<string, number> {
  return Object.fromEntries(pieces.map((piece, id) => [piece, id]))
}

function addedTokens(pieces: string[], types: number[]): AddedToken[] {
  return pieces.flatMap((content, id) => {
    const type = types[id]
    if (type !== CONTROL && type !== USER_DEFINED && type !== UNKNOWN) return []
    return content === '' ? [] : [{ id, content, special: type !== USER_DEFINED, normalized: false }]
  })
}

function invalid(path: string, why: string): VolleyError {
  return new VolleyError('model_file_invalid', `The tokenizer of ${path} is not sound: ${why}`, {
    remedy: 'download it again or convert the model again.',
    param: path,
  })
}
