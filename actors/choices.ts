/**
 * Where each choice of a request stands, from its tokens alone: how many there are, and whether one of them was its last
 * (an end token, the length limit, a complete stop string). The same tokens give the same ends on any instance.
 * @module
 */
import type { SamplingParams, TokenOut } from '../runtime/engine/engine.ts'

/** Watches one choice's text; true = a stop string has just become complete. */
export type StopWatch = (token: number) => boolean

interface Choice {
  tokens: number[]
  finished: boolean
  stops: StopWatch | undefined
}

export class Choices {
  private readonly sampling: SamplingParams
  private readonly choices: Choice[]

  /** `watch` makes a stop watch for one choice; undefined = no stop strings. */
  constructor(n: number, sampling: SamplingParams, watch: (() => StopWatch) | undefined) {
    this.sampling = sampling
    this.choices = Array.from({ length: n }, () => ({ tokens: [], finished: false, stops: watch?.() }))
  }

  /** Notes a token, in order of index; answers it with its `finish` as the text decides, or undefined when the choice had ended. */
  add(token: TokenOut): TokenOut | undefined {
    const choice = this.choices[token.choice]!
    if (choice.finished || token.index !== choice.tokens.length) return undefined
    choice.tokens.push(token.token)
    const stopped = choice.stops?.(token.token) === true || this.isEnd(token.token)
    const finish = stopped ? 'stop' : choice.tokens.length >= this.sampling.maxTokens ? 'length' : token.finish
    if (finish === undefined) return token
    choice.finished = true
    return { ...token, finish }
  }

  /** Choices that go on, with the tokens they have. */
  open(): { choice: number; generated: number[] }[] {
    return this.choices.flatMap((c, choice) => (c.finished ? [] : [{ choice, generated: [...c.tokens] }]))
  }

  /** Token ids of every choice so far. */
  output(): number[][] {
    return this.choices.map((c) => [...c.tokens])
  }

  counts(): number[] {
    return this.choices.map((c) => c.tokens.length)
  }

  private isEnd(token: number): boolean {
    return !this.sampling.ignoreEos && this.sampling.stopTokens.includes(token)
  }
}
