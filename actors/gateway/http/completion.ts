/**
 * `text_completion`, whole and in chunks.
 * @module
 */
import { completionLogprobs } from './logprobs.ts'
import { hasNews, type Reply, type Shape, tokenIds } from './shape.ts'
import type { Delta } from './generation.ts'

export function completionShape(reply: Reply): Shape {
  /** Characters of each choice's tokens so far. */
  const offsets = new Array<number>(reply.n).fill(0)
  const promptSent = new Array<boolean>(reply.n).fill(false)

  const choiceOf = (delta: Delta) => {
    const { choice: index, text, finish = null } = delta
    const offset = offsets[index]!
    const logprobs = reply.logprobs ? completionLogprobs(reply.model, delta.tokens, offset) : null
    if (logprobs) offsets[index] = offset + logprobs.tokens.join('').length
    const promptIds = reply.returnTokenIds && !promptSent[index] ? { prompt_token_ids: reply.prompt } : {}
    promptSent[index] = true
    return { index, text, logprobs, finish_reason: finish, ...tokenIds(reply, delta), ...promptIds }
  }
  return {
    chunkObject: 'text_completion',
    wholeObject: 'text_completion',
    idPrefix: 'cmpl-',
    continuesPrompt: true,
    opening: () => [],
    chunks: (delta) => (hasNews(reply, delta) || delta.finish ? [{ choices: [choiceOf(delta)] }] : []),
    whole: (choices) => ({ choices: choices.map(choiceOf) }),
  }
}
