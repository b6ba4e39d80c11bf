/**
 * `chat.completion` and `chat.completion.chunk`.
 * @module
 */
import { chatLogprobs } from './logprobs.ts'
import { hasNews, type Reply, type Shape, tokenIds } from './shape.ts'
import type { Delta } from './generation.ts'

export function chatShape(reply: Reply): Shape {
  const promptIds = reply.returnTokenIds ? { prompt_token_ids: reply.prompt } : {}
  const logprobs = (delta: Delta) => (reply.logprobs ? chatLogprobs(reply.model, delta.tokens) : null)
  return {
    chunkObject: 'chat.completion.chunk',
    wholeObject: 'chat.completion',
    idPrefix: 'chatcmpl-',
    continuesPrompt: false,
    opening: () =>
      Array.from({ length: reply.n }, (_, index) => ({
        choices: [{ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }],
        ...(index === 0 ? promptIds : {}),
      })),
    chunks(delta) {
      const { choice: index, text, finish } = delta
      const out: object[] = []
      if (hasNews(reply, delta)) {
        const piece = { index, delta: { content: text }, logprobs: logprobs(delta), finish_reason: null }
        out.push({ choices: [{ ...piece, ...tokenIds(reply, delta) }] })
      }
      if (finish) out.push({ choices: [{ index, delta: {}, logprobs: null, finish_reason: finish }] })
      return out
    },
    whole: (choices) => ({
      choices: choices.map((delta) => ({
        index: delta.choice,
        message: { role: 'assistant', content: delta.text, refusal: null },
        logprobs: logprobs(delta),
        finish_reason: delta.finish,
        ...tokenIds(reply, delta),
      })),
      ...promptIds,
    }),
  }
}
