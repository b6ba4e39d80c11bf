/**
 * Log probabilities in OpenAI's two shapes: entries for chat, parallel lists for completions.
 * @module
 */
import type { TokenOut } from '../../../runtime/engine/engine.ts'
import type { TextModel } from '../../../runtime/engine/text.ts'

interface Entry {
  token: string
  logprob: number
  bytes: number[] | null
}

/** JSON has no -Infinity; vLLM sends this for it. */
const LEAST = -9999
const finite = (logprob: number | undefined) => Math.max(LEAST, logprob ?? LEAST)

/** A token as text, special ones too. Without a tokenizer its id stands for it, in vLLM's spelling. */
function tokenText(model: TextModel, id: number): { token: string; bytes: number[] | null } {
  if (!model.hasTokenizer) return { token: `token_id:${id}`, bytes: null }
  const bytes = model.tokenBytes(id, { special: true })
  return { token: new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), bytes: [...bytes] }
}

const entry = (model: TextModel, id: number, logprob: number | undefined): Entry => {
  const { token, bytes } = tokenText(model, id)
  return { token, logprob: finite(logprob), bytes }
}

/** `logprobs.content` of a chat choice. */
export const chatLogprobs = (model: TextModel, tokens: readonly TokenOut[]) => ({
  content: tokens.map(({ token, logprob, top = [] }) => ({
    ...entry(model, token, logprob),
    top_logprobs: top.map(([id, value]) => entry(model, id, value)),
  })),
  refusal: null,
})

/** `logprobs` of a completion's choice; `offset` = characters of the choice's tokens so far. */
export function completionLogprobs(model: TextModel, tokens: readonly TokenOut[], offset: number) {
  const texts = tokens.map(({ token }) => tokenText(model, token).token)
  let at = offset
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) => finite(logprob)),
    // The drawn token is always among the alternatives, as OpenAI documents.
    top_logprobs: tokens.map(({ token, logprob, top = [] }) => {
      const all: [number, number | undefined][] = [...top, [token, logprob]]
      return Object.fromEntries(all.map(([id, value]) => [tokenText(model, id).token, finite(value)]))
    }),
    text_offset: texts.map((text) => {
      at += text.length
      return at - text.length
    }),
  }
}
