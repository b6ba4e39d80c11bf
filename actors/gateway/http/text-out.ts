/**
 * Token ids to text as it may be shown: whole characters only, nothing of a stop string and nothing that may become one.
 * @module
 */
import type { TextModel } from '../../../runtime/engine/text.ts'

/** Text of one choice as it grows. */
export class TextOut {
  #decoder = new TextDecoder()
  #held = ''
  #model: TextModel
  #stops: readonly string[]

  constructor(model: TextModel, stops: readonly string[]) {
    this.#model = model
    this.#stops = stops
  }

  /** Text that a token makes certain; `stopped` = a stop string is complete and the text ends before it. */
  push(token: number): { text: string; stopped: boolean } {
    return this.#take(this.#decoder.decode(this.#model.tokenBytes(token), { stream: true }))
  }

  /** The rest, when no token follows. */
  flush(): { text: string; stopped: boolean } {
    const { text, stopped } = this.#take(this.#decoder.decode())
    return stopped ? { text, stopped } : { text: text + this.#held, stopped }
  }

  #take(piece: string): { text: string; stopped: boolean } {
    const text = this.#held + piece
    const ends = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
    if (ends.length > 0) return { text: text.slice(0, Math.min(...ends)), stopped: true }
    const keep = Math.max(0, ...this.#stops.map((stop) => overlap(text, stop)))
    this.#held = text.slice(text.length - keep)
    return { text: text.slice(0, text.length - keep), stopped: false }
  }
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let n = Math.min(text.length, stop.length - 1); n > 0; n--) if (text.endsWith(stop.slice(0, n))) return n
  return 0
}
