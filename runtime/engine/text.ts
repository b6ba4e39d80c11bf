/**
 * The text side of a model: tokenizer and chat template. The gateway needs it to make ids of text and back; the decode
 * actor to find stop strings. Loading it never loads weights.
 * @module
 */

/** A piece of a message: text, or the place of a picture, which becomes the model's one placeholder token. */
export type ContentPart = { type: 'text'; text: string } | { type: 'image' }

/** One chat message as a template sees it. */
export interface ChatMessage {
  role: string
  content: string | ContentPart[]
  [key: string]: unknown
}

export interface TextModel {
  /** Name in the API: directory or file name without extension. */
  readonly name: string
  readonly vocabSize: number
  readonly contextLength: number
  /** Ids that end a turn. */
  readonly endTokens: number[]
  /** False: the model came without a tokenizer and serves token ids only; `encode`, `decode` and `chat` throw `tokenizer_missing`. */
  readonly hasTokenizer: boolean
  /** `special`: whether text such as `<|im_end|>` becomes the special token (templates) or plain text (what users type). */
  /** `addBos`: put the BOS token first where this model's tokenizer does so. Neither by default. */
  encode(text: string, options?: { addBos?: boolean; special?: boolean }): number[]
  /** Bytes of one token's text (UTF-8, may be part of a character); special tokens are empty unless `special`. */
  tokenBytes(id: number, options?: { special?: boolean }): Uint8Array
  /** SentencePiece models mark a word's start by a space before it: the first one of a whole text is not shown. */
  readonly stripsLeadingSpace?: boolean
  decode(ids: readonly number[], options?: { special?: boolean }): string
  /** Renders the chat template and encodes it; what a user wrote can never become a special token. Errors: `template_failed`. */
  chat(messages: ChatMessage[]): number[]
}
