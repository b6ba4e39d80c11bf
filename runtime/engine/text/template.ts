/**
 * A chat template: Jinja source to a prompt's text, with the names Hugging Face gives to templates.
 * Knows nothing of tokens.
 * @module
 */
import { Environment, Interpreter, Template } from '@huggingface/jinja'
import type { Clock } from '../../clock.ts'
import { VolleyError } from '../../errors.ts'
import type { ChatMessage, ContentPart } from '../text.ts'
import { strftime } from './strftime.ts'

/** A compiled template. */
export class ChatTemplate {
  readonly #program: Template['parsed']
  readonly #clock: Clock
  /** Templates that walk through content parts get parts; all others get text. */
  readonly #wantsParts: boolean
  readonly #takesText: boolean

  /** Errors: `template_failed` when the source is not Jinja that can be read. */
  constructor(source: string, clock: Clock) {
    try {
      this.#program = new Template(source).parsed
    } catch (cause) {
      throw failed(`The model's chat template cannot be read: ${(cause as Error).message}`, cause)
    }
    this.#clock = clock
    this.#wantsParts = /for\s+\w+\s+in\s+[\w.[\]'"]*content\b/.test(source)
    this.#takesText = !this.#wantsParts || /is\s+(not\s+)?string/.test(source)
  }

  /** Errors: `template_failed`, with the template's own words when it refuses (`raise_exception`). */
  render(variables: Record<string, unknown>): string {
    const env = new Environment()
    const globals = {
      true: true,
      false: false,
      none: null,
      True: true,
      False: false,
      None: null,
      range,
      raise_exception: refuse,
      strftime_now: (format: string) => strftime(this.#clock.now(), format),
    }
    try {
      for (const [name, value] of Object.entries({ ...globals, ...variables })) env.set(name, value)
      return String(new Interpreter(env).run(this.#program).value)
    } catch (cause) {
      const words = cause instanceof Refusal ? 'refuses this chat' : 'fails on this chat'
      throw failed(`The model's chat template ${words}: ${(cause as Error).message}`, cause)
    }
  }

  /** Message contents in the form this template reads. */
  shape(messages: readonly ChatMessage[]): ChatMessage[] {
    return messages.map((message) => {
      const { content } = message
      if (typeof content === 'string') {
        return this.#takesText ? message : { ...message, content: [{ type: 'text', text: content }] }
      }
      if (this.#wantsParts || !Array.isArray(content)) return message
      return { ...message, content: content.map(textOf).join('\n') }
    })
  }
}

/** A template that reads texts has no place for anything else. */
function textOf(part: ContentPart): string {
  if (part.type === 'text') return part.text
  throw new VolleyError('invalid_request', `This model takes no pictures: its chat template reads text only`, {
    remedy: 'leave the pictures out, or ask a model that takes them.',
    param: 'messages',
  })
}

/** What a template says with `raise_exception`. */
class Refusal extends Error {}

function refuse(message: unknown): never {
  throw new Refusal(String(message))
}

/** Python's `range`, for the few numbers a template counts through. */
function range(first: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, first] : [first, stop]
  const count = Math.max(0, Math.ceil((to - from) / step))
  if (!(count <= 100_000)) throw new RangeError(`range(${from}, ${to}, ${step}) is too long`)
  return Array.from({ length: count }, (_, i) => from + i * step)
}

function failed(message: string, cause: unknown): VolleyError {
  return new VolleyError('template_failed', message, {
    remedy: 'send messages of the roles and in the order this model expects, or use /v1/completions.',
    param: 'messages',
    cause,
  })
}
