/**
 * Looks for control tokens in text: whole ones, and texts that could become one beside other text. The tables are built
 * once a model, because a vocabulary may have hundreds of them and a chat thousands of strings.
 * @module
 */
import type { AddedToken } from './parts.ts'

/** The control tokens of one vocabulary. Those of a single character cannot be told from typing and are left out. */
export class ControlTokens {
  readonly #byText: ReadonlyMap<string, AddedToken>
  readonly #any: string
  /** Beginnings and ends of tokens, without whole ones. */
  readonly #beginnings = new Set<string>()
  readonly #ends = new Set<string>()
  /** All token texts, for looking inside them; no token holds the separator. */
  readonly #joined: string
  readonly #longest: number

  constructor(tokens: readonly AddedToken[]) {
    // Longest first: at one place the longest token counts, as in the tokenizer.
    const long = tokens.filter(({ content }) => content.length > 1).sort((a, b) => b.content.length - a.content.length)
    this.#byText = new Map(long.map((token) => [token.content, token]))
    this.#any = long.map(({ content }) => content.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|')
    this.#joined = long.map(({ content }) => content).join('\u0000')
    this.#longest = long[0]?.content.length ?? 0
    for (const { content } of long) {
      for (let n = 1; n < content.length; n++) {
        this.#beginnings.add(content.slice(0, n))
        this.#ends.add(content.slice(n))
      }
    }
  }

  /** Whole tokens in a text, from left to right, without overlap. */
  *find(text: string): Generator<{ index: number; token: AddedToken }> {
    if (this.#any === '') return
    for (const match of text.matchAll(new RegExp(this.#any, 'gu'))) {
      yield { index: match.index, token: this.#byText.get(match[0])! }
    }
  }

  /** The text with `mark` behind the first character of every whole token, overlapping ones included. */
  breakWhole(text: string, mark: string): string {
    return this.#any === '' ? text : text.replace(new RegExp(`(?=${this.#any})[^]`, 'gu'), `$&${mark}`)
  }

  /** Whether the text's end begins a token that the text after it could complete. */
  couldBegin(text: string): boolean {
    for (let n = 1; n < this.#longest; n++) if (this.#beginnings.has(text.slice(-n))) return true
    return false
  }

  /** Whether the text's start ends a token that the text before it could have begun. */
  couldEnd(text: string): boolean {
    for (let n = 1; n < this.#longest; n++) if (this.#ends.has(text.slice(0, n))) return true
    return false
  }

  /** Whether all of the text lies inside a token. */
  isInside(text: string): boolean {
    return text.length < this.#longest && this.#joined.includes(text)
  }
}
