/**
 * How byte-level vocabularies in GGUF files cut text before merging, by `tokenizer.ggml.pre`, as tokenizer.json writes
 * it. The patterns are those of the models' published tokenizers.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { TokenizerJson } from './parts.ts'

/** What `pre` decides. */
export interface PreTokenizer {
  pre_tokenizer: TokenizerJson['pre_tokenizer']
  normalizer: TokenizerJson['normalizer']
  /** A piece that is a token as a whole is taken without merging. */
  ignoreMerges: boolean
  /** What absent `add_bos_token` means. */
  addBos: boolean
}

type Step = Record<string, unknown>

const byteLevel = (ownPattern: boolean): Step => ({ type: 'ByteLevel', add_prefix_space: false, use_regex: ownPattern })
const split = (regex: string): Step => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
})
const steps = (...pretokenizers: Step[]): Step => ({ type: 'Sequence', pretokenizers })

const CONTRACTIONS = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
const NON_LETTER = '[^\\r\\n\\p{L}\\p{N}]?'
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
/** GPT-4's pattern as Llama 3 and Qwen use it; they differ in how many digits stay together. */
const words = (digits: string): string =>
  `${CONTRACTIONS}|${NON_LETTER}\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`

const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'
/** Mistral's Tekken: words also end where an upper-case letter follows. */
const TEKKEN =
  `${NON_LETTER}${UPPER}*${LOWER}+|${NON_LETTER}${UPPER}+${LOWER}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`

const plain = { normalizer: null, ignoreMerges: false, addBos: false }
const gpt2: PreTokenizer = { ...plain, pre_tokenizer: byteLevel(true) }
const digitByDigit: PreTokenizer = {
  ...plain,
  pre_tokenizer: steps({ type: 'Digits', individual_digits: true }, byteLevel(true)),
}
const llama3: PreTokenizer = {
  normalizer: null,
  pre_tokenizer: steps(split(words('\\p{N}{1,3}')), byteLevel(false)),
  ignoreMerges: true,
  addBos: true,
}
const qwen2: PreTokenizer = {
  ...plain,
  normalizer: { type: 'NFC' },
  pre_tokenizer: steps(split(words('\\p{N}')), byteLevel(false)),
}
const tekken: PreTokenizer = {
  ...plain,
  pre_tokenizer: steps(split(TEKKEN), byteLevel(false)),
  ignoreMerges: true,
  addBos: true,
}

const BY_NAME: Readonly<Record<string, PreTokenizer>> = {
  'gpt-2': gpt2,
  'smollm': digitByDigit,
  'starcoder': digitByDigit,
  'refact': digitByDigit,
  'llama-bpe': llama3,
  'llama3': llama3,
  'llama-v3': llama3,
  'qwen2': qwen2,
  'deepseek-r1-qwen': qwen2,
  'tekken': tekken,
}

/**
 * The pre-tokenizer called `name`. Errors: `model_unsupported`, also when a file names none: a wrong one would give
 * wrong tokens without a sign of it.
 */
export function preTokenizer(name: string | undefined, path: string): PreTokenizer {
  const found = name !== undefined && Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined
  if (found) return found
  const what = name === undefined
    ? 'does not say how it cuts text (tokenizer.ggml.pre)'
    : `cuts text as ${JSON.stringify(name)}, which is not known`
  throw new VolleyError('model_unsupported', `The tokenizer of ${path} ${what}`, {
    remedy: `convert the model again with a current llama.cpp, or use one of these: ${
      Object.keys(BY_NAME).join(', ')
    }.`,
    param: path,
  })
}
