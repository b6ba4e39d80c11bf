/**
 * Token ids of one choice to text as it becomes final: whole characters only. The text is the same however the ids were
 * fed; all of it together is what decoding them at once gives. Knows nothing of stop strings.
 * @module
 */
import type { TextModel } from '../text.ts'

/** Options for {@linkcode Detokenizer}. */
export interface DetokenizerOptions {
  /**
   * The text goes on after a prompt that is shown too: SentencePiece's leading space then stays.
   * @default {false}
   */
  continues?: boolean
  /**
   * Special tokens appear as their text.
   * @default {false}
   */
  special?: boolean
}

/** Incremental decoding of one choice. */
export class Detokenizer {
  readonly #model: Pick<TextModel, 'tokenBytes'>
  readonly #special: boolean
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  #strip: boolean

  constructor(model: Pick<TextModel, 'tokenBytes' | 'stripsLeadingSpace'>, options: DetokenizerOptions = {}) {
    this.#model = model
    this.#special = options.special ?? false
    this.#strip = model.stripsLeadingSpace === true && options.continues !== true
  }

  /** Text that these tokens make final; '' while a character is incomplete. Bytes that are no UTF-8 become U+FFFD. */
  push(ids: ArrayLike<number>): string {
    let text = ''
    for (let i = 0; i < ids.length; i++) {
      text += this.#utf8.decode(this.#model.tokenBytes(ids[i]!, { special: this.#special }), { stream: true })
    }
    return this.#shown(text)
  }

  /** The end: an incomplete character becomes U+FFFD. The object can then decode another text, without stripping. */
  flush(): string {
    return this.#shown(this.#utf8.decode())
  }

  #shown(text: string): string {
    if (!this.#strip || text === '') return text
    this.#strip = false
    return text.startsWith(' ') ? text.slice(1) : text
  }
}
