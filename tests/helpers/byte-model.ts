/**
 * The smallest text side there can be: a token is a byte; 256 ends a turn, 257 begins a text,
 * words of one token follow.
 * @module
 */
import type { ChatMessage, TextModel } from '../../runtime/engine/text.ts'
import { VolleyError } from '../../runtime/errors.ts'

export const END = 256
export const BEGIN = 257
const SPECIAL = { [END]: '<end>', [BEGIN]: '<begin>' } as Record<number, string>

export interface ByteModelOptions {
  name?: string
  contextLength?: number
  hasTokenizer?: boolean
  /** Texts of tokens 258 and on; nothing is encoded to them. */
  words?: string[]
  stripsLeadingSpace?: boolean
}

export function byteModel(
  { name = 'bytes', contextLength = 2048, hasTokenizer = true, words = [], stripsLeadingSpace = false }:
    ByteModelOptions = {},
): TextModel {
  const needTokenizer = () => {
    if (!hasTokenizer) throw new VolleyError('tokenizer_missing', `Model "${name}" came without a tokenizer`)
  }
  const encode = (text: string, options: { addBos?: boolean } = {}) => {
    needTokenizer()
    return [...(options.addBos ? [BEGIN] : []), ...Buffer.from(text)]
  }
  const tokenBytes = (id: number, options: { special?: boolean } = {}) =>
    id < 256 ? Uint8Array.of(id) : Buffer.from(words[id - 258] ?? (options.special ? SPECIAL[id]! : ''))
  return {
    name,
    vocabSize: 258 + words.length,
    contextLength,
    endTokens: [END],
    hasTokenizer,
    stripsLeadingSpace,
    encode,
    tokenBytes,
    decode(ids) {
      needTokenizer()
      return Buffer.concat(ids.map((id) => tokenBytes(id))).toString()
    },
    chat(messages: ChatMessage[]) {
      needTokenizer()
      const lines = messages.map(({ role, content }) =>
        encode(`${role}: ${typeof content === 'string' ? content : content.map((p) => (p.type === 'text' ? p.text : '')).join('')}\n`)
      )
      return [BEGIN, ...lines.flat()]
    },
  }
}
