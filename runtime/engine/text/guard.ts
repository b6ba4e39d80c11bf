/**
 * Keeps what people wrote apart from what a template wrote. Where a caller's text holds a control token's text, an
 * unguessable mark is put inside before rendering and taken out after: only the template's own tokens stay whole.
 * Other texts are not touched, and marks are digits, so that trimming, case and JSON do no harm to them.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { VolleyError } from '../../errors.ts'
import type { ControlTokens } from './control-tokens.ts'

/** A piece of a rendered prompt: a control token the template wrote, or text. */
export type Segment = { text: string } | { id: number }

/** Arrays and objects within each other, at most: what a template can walk through. */
const DEEPEST = 64

/** Marks the texts of one chat and finds the template's tokens in the result. */
export class Guard {
  readonly #tokens: ControlTokens
  /** 128 random bits. */
  readonly #mark = BigInt('0x' + randomBytes(16).toString('hex')).toString().padStart(39, '0')

  /** `tokens`: what only the template may write. */
  constructor(tokens: ControlTokens) {
    this.#tokens = tokens
  }

  /** The same value, every string in it (keys too) marked where it needs to be. Error: `invalid_request` (too deep). */
  protect(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return this.#protectText(value)
    if (typeof value !== 'object' || value === null) return value
    if (depth > DEEPEST) {
      throw new VolleyError('invalid_request', `A message nests its fields more than ${DEEPEST} levels deep`, {
        remedy: 'send flatter messages.',
        param: 'messages',
      })
    }
    if (Array.isArray(value)) return value.map((item) => this.protect(item, depth + 1))
    const field = (key: string, item: unknown): unknown =>
      (key === 'role' || key === 'type') && typeof item === 'string'
        ? this.#protectWord(item)
        : this.protect(item, depth + 1)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.#protectWord(key), field(key, item)]))
  }

  /** Cuts a rendered text at the control tokens the template wrote; the texts between have no marks any more. */
  segments(rendered: string): Segment[] {
    const out: Segment[] = []
    let stripNext = false
    const addText = (piece: string, stripEnd: boolean) => {
      const unmarked = piece.replaceAll(this.#mark, '')
      const started = stripNext ? unmarked.trimStart() : unmarked
      const text = stripEnd ? started.trimEnd() : started
      if (text !== '') out.push({ text })
    }
    let at = 0
    for (const { index, token } of this.#tokens.find(rendered)) {
      addText(rendered.slice(at, index), token.lstrip === true)
      out.push({ id: token.id })
      at = index + token.content.length
      stripNext = token.rstrip === true
    }
    addText(rendered.slice(at), false)
    return out
  }

  /** Keys, roles and types are words that templates look for, so only whole tokens in them are taken apart. */
  #protectWord(word: string): string {
    return this.#tokens.breakWhole(word, this.#mark)
  }

  /** Besides whole tokens: what a template joins must not make one, be it two texts or one text and its own. */
  #protectText(text: string): string {
    const inner = this.#tokens.breakWhole(text, this.#mark)
    const before = this.#tokens.couldEnd(text) ? this.#mark : ''
    const after = this.#tokens.couldBegin(text) ? this.#mark : ''
    const marked = before + inner + after
    return marked === text && this.#tokens.isInside(text) ? text.replace(/\S/u, `$&${this.#mark}`) : marked
  }
}
