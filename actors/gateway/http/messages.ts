/**
 * OpenAI's chat messages as a chat template takes them, and the pictures they speak of.
 * @module
 */
import type { ChatMessage } from '../../../runtime/engine/text.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { ChatBody } from './schemas.ts'

type BodyMessage = ChatBody['messages'][number]

/** A picture of a message, as its part names it. */
export interface PicturePart {
  url: string
  /** `detail: low`: it is not cut into tiles. */
  whole: boolean
  /** The part's place in the request. */
  param: string
}

/** Parts of OpenAI's that are neither text nor pictures. */
const OTHER_PARTS = new Set(['input_audio', 'file', 'video_url', 'audio_url'])

/**
 * Pictures in the order of their places. Errors: `unsupported_parameter` for parts of another kind, `invalid_request`,
 * both with the part's place.
 */
export function toChatMessages(messages: ChatBody['messages']): { messages: ChatMessage[]; pictures: PicturePart[] } {
  const pictures: PicturePart[] = []
  const shown = messages.map((message, i) => ({
    ...message,
    // Templates know the older name only.
    role: message.role === 'developer' ? 'system' : message.role,
    content: contentOf(message, `messages[${i}].content`, pictures),
  }))
  return { messages: shown, pictures }
}

function contentOf(message: BodyMessage, param: string, pictures: PicturePart[]): ChatMessage['content'] {
  const { role, content } = message
  if (typeof content === 'string') return content
  if (content === null || content === undefined) {
    const mayBeEmpty = role === 'assistant' &&
      ['tool_calls', 'function_call', 'refusal'].some((key) => message[key] != null)
    if (mayBeEmpty) return ''
    throw new VolleyError('invalid_request', `"${param}" is missing`, { param })
  }
  return content.map(({ type, text, image_url }, j) => {
    const place = `${param}[${j}]`
    if (type === 'text' && text !== undefined) return { type, text }
    if (type === 'image_url' && image_url !== undefined) {
      pictures.push(pictureOf(image_url, role, place))
      return { type: 'image' }
    }
    if (OTHER_PARTS.has(type)) {
      throw new VolleyError('unsupported_parameter', `Content of type "${type}" is not supported yet`, {
        param: place,
        remedy: 'send parts of type text or image_url only',
      })
    }
    const expected = 'expected a part of type "text" with a "text", or of type "image_url" with an "image_url"'
    throw new VolleyError('invalid_request', `"${place}": ${expected}`, { param: place })
  })
}

function pictureOf(image: string | { url: string; detail?: unknown }, role: string, param: string): PicturePart {
  if (role !== 'user') {
    throw new VolleyError('invalid_request', `"${param}" is a picture in a message of role "${role}"`, {
      param,
      remedy: 'put pictures into messages of role "user"',
    })
  }
  if (typeof image === 'string') return { url: image, whole: false, param }
  return { url: image.url, whole: image.detail === 'low', param }
}
