/**
 * A generation as its reader sees it: the tokens of an open request turned into pieces of text, choice by choice. Knows
 * nothing of the shapes they are sent in.
 * @module
 */
import type { TokenOut } from '../../../runtime/engine/engine.ts'
import type { TextModel } from '../../../runtime/engine/text.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import { TextOut } from './text-out.ts'

/** What one step added to one choice. */
export interface Delta {
  choice: number
  /** May be empty: part of a character, or what may become a stop string. */
  text: string
  tokens: TokenOut[]
  finish?: 'stop' | 'length'
}

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
}

interface ChoiceState {
  out: TextOut
  finished: boolean
}

/** Pieces of all choices, one list a step, in order of choice. Throws what the request's `tokens` throw. */
export async function* deltas(
  tokens: AsyncIterable<TokenOut[]>,
  { model, stop, n }: { model: TextModel; stop: readonly string[]; n: number },
): AsyncGenerator<Delta[], void, undefined> {
  const choices = Array.from({ length: n }, (): ChoiceState => ({ out: new TextOut(model, stop), finished: false }))
  for await (const batch of tokens) {
    const step: Delta[] = []
    for (const token of batch) {
      const choice = choices[token.choice]
      // After a stop string more tokens may be on their way: nobody is to see them.
      if (choice === undefined || choice.finished) continue
      const delta = (step[token.choice] ??= { choice: token.choice, text: '', tokens: [] })
      append(choice, delta, token)
    }
    const added = step.filter((delta) => delta !== undefined)
    if (added.length > 0) yield added
  }
  const open = choices.findIndex(({ finished }) => !finished)
  if (open >= 0) throw new VolleyError('internal', `The request ended before its choice ${open} did`)
}

function append(choice: ChoiceState, delta: Delta, token: TokenOut): void {
  delta.tokens.push(token)
  // A stop token ends the choice and is no part of its text.
  const { text, stopped } = token.finish === 'stop' ? { text: '', stopped: false } : choice.out.push(token.token)
  delta.text += text
  if (stopped) delta.finish = 'stop'
  else if (token.finish !== undefined) {
    const rest = choice.out.flush()
    delta.text += rest.text
    delta.finish = rest.stopped ? 'stop' : token.finish
  }
  choice.finished = delta.finish !== undefined
}
