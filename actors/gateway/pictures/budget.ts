/**
 * How many bytes of bodies and pictures all requests of a gateway may hold together. Counts only: it holds nothing.
 * @module
 */
import { VolleyError } from '../../../runtime/errors.ts'

/** So much of each request goes uncounted: a text is not refused because of other people's pictures. */
const FREE_BYTES = 1 << 20

/** What one request holds. */
export interface Hold {
  /** Holds so many bytes more. Error: `overloaded`; what was held before stays held. */
  add(bytes: number): void
  /** Holds no more than so many bytes from now on. */
  shrink(bytes: number): void
  /** Holds nothing any more; may be called twice. */
  release(): void
}

export class ByteBudget {
  readonly #limit: number
  #counted = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes counted now. */
  get counted(): number {
    return this.#counted
  }

  hold(): Hold {
    let held = 0
    let released = false
    const counted = (bytes: number) => Math.max(0, bytes - FREE_BYTES)
    const set = (bytes: number) => {
      this.#counted += counted(bytes) - counted(held)
      held = bytes
    }
    return {
      add: (bytes) => {
        // A last piece may come in after the request has ended.
        if (released) return
        const more = counted(held + bytes) - counted(held)
        if (more > 0 && this.#counted + more > this.#limit) {
          throw new VolleyError('overloaded', 'Too many bytes of pictures are held here for requests already', {
            remedy: 'try again a little later',
          })
        }
        set(held + bytes)
      },
      shrink: (bytes) => set(Math.min(held, bytes)),
      release: () => {
        released = true
        set(0)
      },
    }
  }
}
