/**
 * The text model: a codec, a byte for every token and a chat template under one roof. Knows nothing of files.
 * @module
 */
import type { Clock } from '../../clock.ts'
import { VolleyError } from '../../errors.ts'
import type { ChatMessage, TextModel } from '../text.ts'
import { Codec } from './codec.ts'
import { ControlTokens } from './control-tokens.ts'
import { Detokenizer } from './detokenizer.ts'
import { Guard } from './guard.ts'
import type { TextParts, TokenizerJson } from './parts.ts'
import { ChatTemplate } from './template.ts'
import { byteRule } from './vocab-bytes.ts'

const NOTHING = new Uint8Array(0)

/** Builds the text side of a model. `path` is for messages. Errors: `model_file_invalid`, `model_unsupported`. */
export function textModel(parts: TextParts, path: string, clock: Clock): TextModel {
  const { name, vocabSize, contextLength, endTokens, tokenizer } = parts
  const facts = { name, vocabSize, contextLength, endTokens }
  if ('missing' in tokenizer) {
    const refuse = (): never => {
      const why = `Model ${name} cannot turn text into tokens: ${tokenizer.missing}`
      throw new VolleyError('tokenizer_missing', why, { remedy: tokenizer.remedy })
    }
    return { ...facts, hasTokenizer: false, encode: refuse, tokenBytes: refuse, decode: refuse, chat: refuse }
  }
  const codec = build(() => new Codec(tokenizer, parts.roleTokens), path)
  const rule = byteRule(tokenizer.decoder, path)
  const bytesOf = tokenBytes(tokenizer, codec, rule.bytes)
  const hidden = new Set([...parts.roleTokens, ...tokenizer.added_tokens.filter((t) => t.special).map((t) => t.id)])
  const prefix = parts.prefix ?? build(() => codec.prefix(), path)
  const control = new ControlTokens(codec.control)
  let template: ChatTemplate | undefined

  const model: TextModel = {
    ...facts,
    hasTokenizer: true,
    stripsLeadingSpace: rule.stripsLeadingSpace,
    encode(text, { addBos = false, special = false } = {}) {
      const ids = special ? codec.encodeFull(text) : codec.encodePlain(text)
      return addBos ? [...prefix, ...ids] : ids
    },
    tokenBytes: (id, { special = false } = {}) => (!special && hidden.has(id) ? NOTHING : bytesOf(id)),
    decode(ids, { special = false } = {}) {
      const detokenizer = new Detokenizer(model, { special })
      return detokenizer.push(ids) + detokenizer.flush()
    },
    chat(messages) {
      template ??= compile(parts, clock)
      const guard = new Guard(control)
      const rendered = template.render({
        messages: guard.protect(template.shape(messages.map(checkRole))),
        tools: null,
        documents: null,
        add_generation_prompt: true,
        ...parts.templateTokens,
      })
      return guard.segments(rendered).flatMap((segment, i) =>
        'id' in segment ? [segment.id] : codec.encodePlain(segment.text, i > 0)
      )
    },
  }
  return model
}

/** Bytes of every token, decoded when first asked for. */
function tokenBytes(
  json: TokenizerJson,
  codec: Codec,
  bytes: (token: string) => Uint8Array,
): (id: number) => Uint8Array {
  const encoder = new TextEncoder()
  const known = new Map<number, Uint8Array>(json.added_tokens.map(({ id, content }) => [id, encoder.encode(content)]))
  return (id) => {
    const found = known.get(id)
    if (found) return found
    const token = codec.token(id)
    const made = token === undefined ? NOTHING : bytes(token)
    known.set(id, made)
    return made
  }
}

function compile({ name, chatTemplate }: TextParts, clock: Clock): ChatTemplate {
  if (chatTemplate !== undefined) return new ChatTemplate(chatTemplate, clock)
  throw new VolleyError('template_failed', `Model ${name} has no chat template: it was not made for chats`, {
    remedy: "use /v1/completions, or put a chat_template.jinja into the model's directory.",
    param: 'messages',
  })
}

/** Roles that chats have. Templates write a role into control tokens, so it cannot be free text. */
const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function', 'ipython', 'model'])

function checkRole(message: ChatMessage): ChatMessage {
  if (ROLES.has(message.role)) return message
  throw new VolleyError('invalid_request', `A message has the role ${JSON.stringify(message.role)}`, {
    remedy: `use one of these: ${[...ROLES].join(', ')}.`,
    param: 'messages',
  })
}

/** What the tokenizer library finds wrong is the file's fault. */
function build<T>(make: () => T, path: string): T {
  try {
    return make()
  } catch (cause) {
    throw new VolleyError(
      'model_file_invalid',
      `The tokenizer of ${path} cannot be read: ${(cause as Error).message}`,
      {
        remedy: "download it again; the tokenizer is in tokenizer.json, or in the GGUF file's metadata.",
        param: path,
        cause,
      },
    )
  }
}
