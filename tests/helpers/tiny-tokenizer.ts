/**
 * Tokenizers of a few hundred tokens, for tests that need real encoding without a real vocabulary.
 * @module
 */
import { byteLevelAlphabet } from '../../runtime/engine/text/vocab-bytes.ts'

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }

/** ChatML's shape: roles between `<|im_start|>` and `<|im_end|>`. */
export const CHATML =
  `{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}` +
  `{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}`

/** Special tokens of {@linkcode byteTokenizer}, at 256 and up. */
export const SPECIALS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const

/** tokenizer.json: one token a byte (ids 0..255), a merge of `a` and `b` (259), and three special tokens (256..258). */
export function byteTokenizer(): Record<string, unknown> {
  const vocab = Object.fromEntries(byteLevelAlphabet())
  return {
    version: '1.0',
    added_tokens: SPECIALS.map((content, i) => ({ id: 256 + i, content, special: true, normalized: false })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab: { ...vocab, ab: 259 }, merges: ['a b'] },
  }
}

/** Files of a model directory with that tokenizer, without weights. */
export const byteModelFiles = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  'config.json': { model_type: 'llama', vocab_size: 260, max_position_embeddings: 128, eos_token_id: 258 },
  'tokenizer.json': byteTokenizer(),
  'tokenizer_config.json': { chat_template: CHATML, eos_token: '<|im_end|>' },
  ...more,
})

/** A SentencePiece vocabulary in GGUF's terms: unknown, BOS, EOS, 256 bytes, then pieces, the best first. */
export function spmVocabulary(): { tokens: string[]; scores: number[]; types: number[] } {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`)
  const pieces = ['el', 'lo', 'hel', 'hello', '▁hello', '▁h', '▁', 'h', 'e', 'l', 'o', 'w']
  return {
    tokens: ['<unk>', '<s>', '</s>', ...bytes, ...pieces],
    scores: [0, 0, 0, ...bytes.map(() => 0), ...pieces.map((_, i) => -i)],
    types: [2, 3, 3, ...bytes.map(() => 6), ...pieces.map(() => 1)],
  }
}
