/**
 * OpenAI's chat messages as a chat template takes them.
 * @module
 */
import type { ChatMessage } from '../../../runtime/engine/text.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { ChatBody } from './schemas.ts'

type BodyMessage = ChatBody['messages'][number]

/** Parts of OpenAI's that are not text. */
const OTHER_PARTS = new Set(['image_url', 'input_audio', 'file', 'video_url', 'audio_url'])

/** Errors: `unsupported_parameter` for parts that are not text, `invalid_request`, both with the part's place. */
export function toChatMessages(messages: ChatBody['messages']): ChatMessage[] {
  return messages.map((message, i) => ({
    ...message,
    // Templates know the older name only.
    role: message.role === 'developer' ? 'system' : message.role,
    content: contentOf(message, `messages[${i}].content`),
  }))
}

/** Characters of text in the messages. */
export const chatLength = (messages: readonly ChatMessage[]): number =>
  messages.reduce((sum, { content }) => {
    const texts = typeof content === 'string' ? [content] : content.map((p) => (p.type === 'text' ? p.text : ''))
    return sum + texts.join('').length
  }, 0)

function contentOf(message: BodyMessage, param: string): ChatMessage['content'] {
  const { role, content } = message
  if (typeof content === 'string') return content
  if (content === null || content === undefined) {
    const mayBeEmpty = role === 'assistant' &&
      ['tool_calls', 'function_call', 'refusal'].some((key) => message[key] != null)
    if (mayBeEmpty) return ''
    throw new VolleyError('invalid_request', `"${param}" is missing`, { param })
  }
  return content.map(({ type, text }, j) => {
    const place = `${param}[${j}]`
    if (type === 'text' && text !== undefined) return { type, text }
    if (OTHER_PARTS.has(type)) {
      throw new VolleyError('unsupported_parameter', `Content of type "${type}" is not supported yet`, {
        param: place,
        remedy: 'send text parts only',
      })
    }
    throw new VolleyError('invalid_request', `"${place}": expected a part of type "text" with a "text"`, {
      param: place,
    })
  })
}
