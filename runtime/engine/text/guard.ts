/**
 * Keeps what people wrote apart from what a template wrote. Where a caller's text holds a control token's text, an
 * unguessable mark is put inside before rendering and taken out after: only the template's own tokens stay whole.
 * Other texts are not touched, and marks are digits, so that trimming, case and JSON do no harm to them.
 * @module
 */
import { randomBytes } from 'node:crypto'
import type { AddedToken } from './parts.ts'

/** A piece of a rendered prompt: a control token the template wrote, or text. */
export type Segment = { text: string } | { id: number }

/** Marks the texts of one chat and finds the template's tokens in the result. */
export class Guard {
  readonly #tokens: readonly AddedToken[]
  /** 128 random bits. */
  readonly #mark = BigInt('0x' + randomBytes(16).toString('hex')).toString().padStart(39, '0')

  /** `tokens`: the control tokens, which only the template may write. */
  constructor(tokens: readonly AddedToken[]) {
    // Longest first: at one place the longest token counts, as in the tokenizer.
    this.#tokens = tokens.filter(({ content }) => content.length > 1).sort((a, b) =>
      b.content.length - a.content.length
    )
  }

  /** The same value, every string in it (keys too) marked where it needs to be. */
  protect(value: unknown): unknown {
    if (typeof value === 'string') return this.#protectText(value)
    if (Array.isArray(value)) return value.map((item) => this.protect(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.#protectText(key), this.protect(item)]))
  }

  /** A rendered text without its marks. */
  unmark(text: string): string {
    return text.replaceAll(this.#mark, '')
  }

  /** Cuts a rendered text at the control tokens the template wrote; the texts between have no marks any more. */
  segments(rendered: string): Segment[] {
    const out: Segment[] = []
    let stripNext = false
    const addText = (piece: string, stripEnd: boolean) => {
      const unmarked = this.unmark(piece)
      const started = stripNext ? unmarked.trimStart() : unmarked
      const text = stripEnd ? started.trimEnd() : started
      if (text !== '') out.push({ text })
    }
    let at = 0
    for (const { index, token } of this.#find(rendered)) {
      addText(rendered.slice(at, index), token.lstrip === true)
      out.push({ id: token.id })
      at = index + token.content.length
      stripNext = token.rstrip === true
    }
    addText(rendered.slice(at), false)
    return out
  }

  /** Control tokens in a text, from left to right, without overlap. */
  *#find(text: string): Generator<{ index: number; token: AddedToken }> {
    if (this.#tokens.length === 0) return
    const byText = new Map(this.#tokens.map((token) => [token.content, token]))
    const any = new RegExp([...byText.keys()].map(escapeRegExp).join('|'), 'gu')
    for (const match of text.matchAll(any)) yield { index: match.index, token: byText.get(match[0])! }
  }

  #protectText(text: string): string {
    let marked = text
    for (const { content } of this.#tokens) {
      if (!marked.includes(content)) continue
      // After the first character of every occurrence, overlapping ones included.
      marked = marked.replace(new RegExp(`(?=${escapeRegExp(content)})[^]`, 'gu'), `$&${this.#mark}`)
    }
    // Two texts that a template joins must not make a token together, nor one text with the template's own.
    if (this.#tokens.some(({ content }) => beginsAtEnd(text, content))) marked += this.#mark
    if (this.#tokens.some(({ content }) => endsAtStart(text, content))) marked = this.#mark + marked
    return marked
  }
}

/** Whether the text's end is the beginning of `token`, but not all of it. */
function beginsAtEnd(text: string, token: string): boolean {
  for (let n = 1; n < token.length; n++) if (text.endsWith(token.slice(0, n))) return true
  return false
}

/** Whether the text's start is the end of `token`, but not all of it. */
function endsAtStart(text: string, token: string): boolean {
  for (let n = 1; n < token.length; n++) if (text.startsWith(token.slice(-n))) return true
  return false
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
