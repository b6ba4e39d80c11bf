/**
 * Text to token ids, in two ways: with special tokens recognised (templates) and with none (what people type).
 * The work is @huggingface/tokenizers'; this decides which tokens it may see. Knows nothing of chat.
 * @module
 */
import { Tokenizer } from '@huggingface/tokenizers'
import type { AddedToken, TokenizerJson } from './parts.ts'

/** Turn marks that some tokenizers (DeepSeek's) do not flag as special. */
const TURN_MARK = /^<[|｜].*[|｜]>$/s

/** What is used of a Tokenizer. Its package's own types do not resolve under `nodenext`. */
interface HfTokenizer {
  model: unknown
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] }
  id_to_token(id: number): string | undefined
}

/** Encoder over one vocabulary. */
export class Codec {
  /** Tokens that only a template may write. */
  readonly control: readonly AddedToken[]
  readonly #full: HfTokenizer
  readonly #plain: HfTokenizer
  /** As `#plain`, for text that does not begin the whole. */
  readonly #later: HfTokenizer

  /** Errors: whatever @huggingface/tokenizers finds wrong with the file. */
  constructor(json: TokenizerJson, roleTokens: readonly number[]) {
    const isControl = (token: AddedToken) =>
      token.special || roleTokens.includes(token.id) || TURN_MARK.test(token.content)
    this.control = json.added_tokens.filter((token) => isControl(token) && token.content.length > 0)
    this.#full = new Tokenizer(json, {})
    const plain = json.added_tokens.filter((token) => !isControl(token))
    const first = json.pre_tokenizer
    this.#plain = this.#sharing(json, plain, first)
    this.#later = hasFirst(first) ? this.#sharing(json, plain, neverFirst(first)) : this.#plain
  }

  /** Ids that the tokenizer's post-processor puts before a text; an end it may put after is not wanted in a prompt. */
  prefix(): number[] {
    const empty = ids(this.#full, '', true)
    const text = ids(this.#full, 'a', true)
    let same = 0
    while (same < empty.length && empty[same] === text[same]) same++
    return empty.slice(0, same)
  }

  /** Token text of an id, as the vocabulary writes it. */
  token(id: number): string | undefined {
    return this.#full.id_to_token(id)
  }

  /** Every token in the text becomes its id, special or not. */
  encodeFull(text: string): number[] {
    return ids(this.#full, text)
  }

  /** No control token comes out, whatever the text says. `later`: text that does not begin the whole. */
  encodePlain(text: string, later = false): number[] {
    const tokenizer = later ? this.#later : this.#plain
    const found = ids(tokenizer, text)
    const typed = this.control.find(({ id, content }) => found.includes(id) && text.includes(content))
    if (!typed || typed.content.length < 2) return found
    // The vocabulary itself holds a control token's text as an ordinary piece: take it apart by hand.
    const cut = text.indexOf(typed.content) + 1
    return [...this.encodePlain(text.slice(0, cut), later), ...this.encodePlain(text.slice(cut), true)]
  }

  /** A tokenizer that sees other added tokens but shares the vocabulary: a second one would cost as much again. */
  #sharing(json: TokenizerJson, added: AddedToken[], preTokenizer: TokenizerJson['pre_tokenizer']): HfTokenizer {
    const empty = { ...json.model, vocab: json.model.type === 'Unigram' ? [['', 0]] : {}, merges: [] }
    const tokenizer: HfTokenizer = new Tokenizer({
      ...json,
      model: empty,
      added_tokens: added,
      pre_tokenizer: preTokenizer,
    }, {})
    tokenizer.model = this.#full.model
    return tokenizer
  }
}

/** Text without an id in a vocabulary that has no unknown token is left out. */
function ids(tokenizer: HfTokenizer, text: string, around = false): number[] {
  return tokenizer.encode(text, { add_special_tokens: around }).ids.filter((id) => id !== undefined)
}

function hasFirst(preTokenizer: TokenizerJson['pre_tokenizer']): preTokenizer is Record<string, unknown> {
  return preTokenizer !== null && JSON.stringify(preTokenizer).includes('"prepend_scheme":"first"')
}

/** The pre-tokenizer of everything but a text's beginning, where Metaspace adds a space to the first piece only. */
function neverFirst(preTokenizer: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(preTokenizer).replaceAll('"prepend_scheme":"first"', '"prepend_scheme":"never"')
  return JSON.parse(text) as Record<string, unknown>
}
