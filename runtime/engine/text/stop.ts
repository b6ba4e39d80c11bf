/**
 * Stop strings over a text that grows. What it finds depends on the text alone, never on how it was cut into pieces:
 * the stop string that is complete first wins, and of two complete at once the longer one. Knows nothing of tokens.
 * @module
 */

/** What one more piece of text brought. */
export interface StopStep {
  /** Text that is certain to stay: shown before any stop string. */
  text: string
  /** The stop string that is complete; the choice ends before it. Nothing follows. */
  stop?: string
}

/** Finds the first stop string of one choice. */
export class StopMatcher {
  readonly #stops: readonly string[]
  /** Not yet shown: the longest end of the text that may begin a stop string. */
  #held = ''
  #stop: string | undefined

  /** Empty stop strings are ignored. */
  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0)
  }

  /** The stop string that was found, if any. */
  get stop(): string | undefined {
    return this.#stop
  }

  /** Takes text that is final. After a stop string was found it takes nothing more. */
  push(piece: string): StopStep {
    if (this.#stop !== undefined) return { text: '', stop: this.#stop }
    const text = this.#held + piece
    let begin = 0
    let end = Infinity
    for (const stop of this.#stops) {
      const at = text.indexOf(stop)
      if (at < 0 || at + stop.length > end || (at + stop.length === end && at >= begin)) continue
      begin = at
      end = at + stop.length
      this.#stop = stop
    }
    if (this.#stop !== undefined) {
      this.#held = ''
      return { text: text.slice(0, begin), stop: this.#stop }
    }
    let keep = 0
    while (keep < text.length && !this.#stops.some((stop) => stop.startsWith(text.slice(keep)))) keep++
    this.#held = text.slice(keep)
    return { text: text.slice(0, keep) }
  }

  /** What was held back, when no text follows. */
  flush(): string {
    const text = this.#held
    this.#held = ''
    return text
  }
}
