/**
 * A generation as its reader sees it: the tokens of an open request turned into pieces of text, choice by choice. Knows
 * nothing of the shapes they are sent in.
 * @module
 */
import type { TokenOut } from '../../../runtime/engine/engine.ts'
import { Detokenizer } from '../../../runtime/engine/text/detokenizer.ts'
import { StopMatcher } from '../../../runtime/engine/text/stop.ts'
import type { TextModel } from '../../../runtime/engine/text.ts'
import { VolleyError } from '../../../runtime/errors.ts'

/** What one step added to one choice. */
export interface Delta {
  choice: number
  /** May be empty: part of a character, or what may become a stop string. */
  text: string
  tokens: TokenOut[]
  finish?: 'stop' | 'length'
}

export interface GenerationOptions {
  model: TextModel
  stop: readonly string[]
  /** Tokens that end a choice and are no part of its text. */
  stopTokens: readonly number[]
  n: number
  /** The text goes on after a prompt that its reader sees too. */
  continues: boolean
}

/** Pieces of all choices, one list a step, in order of choice. Throws what the request's `tokens` throw. */
export async function* deltas(
  tokens: AsyncIterable<TokenOut[]>,
  options: GenerationOptions,
): AsyncGenerator<Delta[], void, undefined> {
  const choices = Array.from({ length: options.n }, () => new ChoiceText(options))
  for await (const batch of tokens) {
    const step: Delta[] = []
    for (const token of batch) {
      const choice = choices[token.choice]
      // After a stop string more tokens may be on their way: nobody is to see them.
      if (choice === undefined || choice.finished) continue
      choice.append(step[token.choice] ??= { choice: token.choice, text: '', tokens: [] }, token)
    }
    const added = step.filter((delta) => delta !== undefined)
    if (added.length > 0) yield added
  }
  const open = choices.findIndex(({ finished }) => !finished)
  if (open >= 0) throw new VolleyError('internal', `The request ended before its choice ${open} did`)
}

/** Text of one choice as it grows. */
class ChoiceText {
  finished = false
  readonly #options: GenerationOptions
  readonly #detokenizer: Detokenizer
  readonly #matcher: StopMatcher

  constructor(options: GenerationOptions) {
    this.#options = options
    this.#detokenizer = new Detokenizer(options.model, { continues: options.continues })
    this.#matcher = new StopMatcher(options.stop)
  }

  append(delta: Delta, token: TokenOut): void {
    const { model, stopTokens } = this.#options
    delta.tokens.push(token)
    const endsByToken = token.finish === 'stop' && stopTokens.includes(token.token)
    if (model.hasTokenizer && !endsByToken) delta.text += this.#matcher.push(this.#detokenizer.push([token.token])).text
    if (token.finish !== undefined && this.#matcher.stop === undefined) {
      delta.text += this.#matcher.push(this.#detokenizer.flush()).text + this.#matcher.flush()
    }
    const finish = this.#matcher.stop === undefined ? token.finish : 'stop'
    if (finish === undefined) return
    delta.finish = finish
    this.finished = true
  }
}
