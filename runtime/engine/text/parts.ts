/**
 * What a reader of files (Hugging Face's or GGUF) hands to the text model: a tokenizer in tokenizer.json's form, and
 * the few facts around it.
 * @module
 */

/** An entry of tokenizer.json's `added_tokens`. */
export interface AddedToken {
  id: number
  content: string
  special: boolean
  lstrip?: boolean
  rstrip?: boolean
  normalized?: boolean
  single_word?: boolean
}

/** tokenizer.json, as far as it is looked at here; @huggingface/tokenizers reads the rest. */
export interface TokenizerJson {
  added_tokens: AddedToken[]
  model: { type: string; vocab: unknown; merges?: unknown } & Record<string, unknown>
  normalizer: Record<string, unknown> | null
  pre_tokenizer: Record<string, unknown> | null
  post_processor: Record<string, unknown> | null
  decoder: Record<string, unknown> | null
}

export interface TextParts {
  name: string
  vocabSize: number
  contextLength: number
  endTokens: number[]
  /** The tokenizer, or why there is none: the end of a sentence. */
  tokenizer: TokenizerJson | { missing: string; remedy: string }
  /** Token ids with a role (BOS, EOS, padding, unknown): control tokens even where the file does not say so. */
  roleTokens: number[]
  /** Ids the tokenizer puts before a text; undefined: as tokenizer.json's post-processor does. */
  prefix: number[] | undefined
  /** Jinja source; undefined: the model has none. */
  chatTemplate: string | undefined
  /** `bos_token` and the like, as text, for the template. */
  templateTokens: Record<string, string>
}
