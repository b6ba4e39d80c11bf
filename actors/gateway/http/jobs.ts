/**
 * The two generating routes on the way in: a checked body as a Job.
 * @module
 */
import type { TextModel } from '../../../runtime/engine/text.ts'
import { chatLength } from '../../../runtime/engine/text/prompts.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { Front, ServedModel, SubmittedPicture } from '../front.ts'
import type { PictureDoor } from '../pictures/door.ts'
import { chatShape } from './chat.ts'
import { completionShape } from './completion.ts'
import type { Job } from './generate.ts'
import type { HttpLimits } from './limits.ts'
import { toChatMessages } from './messages.ts'
import { type Caller, chatPrompt } from './pictures.ts'
import { checkTokenId, toSampling } from './sampling.ts'
import { chatSchema, completionSchema, type Prompt, type SamplingBody } from './schemas.ts'
import type { Reply, Shape } from './shape.ts'
import { validate } from './validate.ts'

/** The served model of this name. Error: `model_not_found`. */
export function modelOf(front: Front, name: string) {
  const models = front.models()
  const found = models.find(({ text }) => text.name === name)
  if (found) return found
  throw new VolleyError('model_not_found', `The model "${name}" is not served here`, {
    param: 'model',
    remedy: `ask for one of: ${models.map(({ text }) => text.name).join(', ')}`,
  })
}

/** A body as a Job. */
export type Prepare = (raw: Record<string, unknown>, caller: Caller) => Promise<Job>

export function chatJob(front: Front, limits: HttpLimits, door: PictureDoor): Prepare {
  const schema = chatSchema(limits)
  return async (raw, caller) => {
    const { body, ignored } = validate(schema, raw)
    const served = modelOf(front, body.model)
    if (body.top_logprobs !== undefined && !body.logprobs) {
      throw new VolleyError('invalid_request', '"top_logprobs" needs "logprobs": true', { param: 'top_logprobs' })
    }
    const { max_tokens, max_completion_tokens } = body
    if (max_tokens !== undefined && max_completion_tokens !== undefined && max_tokens !== max_completion_tokens) {
      throw new VolleyError('invalid_request', '"max_tokens" and "max_completion_tokens" say different things', {
        param: 'max_tokens',
        remedy: 'send one of them',
      })
    }
    const chat = toChatMessages(body.messages)
    checkLength(chatLength(chat.messages), limits, 'messages')
    if (chat.pictures.length > limits.pictures) {
      const why = `The request has ${chat.pictures.length} pictures; at most ${limits.pictures} are taken`
      throw new VolleyError('invalid_request', why, { param: 'messages' })
    }
    const { check, ...prompt } = await chatPrompt(served, door, chat, caller)
    const job = jobOf(body, limits, {
      model: served.text,
      ...prompt,
      maxTokens: max_completion_tokens ?? max_tokens,
      unasked: limits.chatTokens,
      topLogprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
      fields: { prompt: 'messages', maxTokens: max_tokens === undefined ? 'max_completion_tokens' : 'max_tokens' },
      shape: chatShape,
      ignored,
    })
    await check()
    return job
  }
}

export function completionJob(front: Front, limits: HttpLimits): Prepare {
  const schema = completionSchema(limits)
  return async (raw, { signal }) => {
    const { body, ignored } = validate(schema, raw)
    const served = modelOf(front, body.model)
    if (body.best_of !== undefined && body.best_of !== (body.n ?? 1)) {
      throw new VolleyError('unsupported_parameter', '"best_of" is supported only where it equals "n"', {
        param: 'best_of',
      })
    }
    return jobOf(body, limits, {
      model: served.text,
      prompt: await promptIds(body.prompt, served, limits, signal),
      pictures: [],
      imageTokens: 0,
      maxTokens: body.max_tokens,
      unasked: limits.completionTokens,
      topLogprobs: body.logprobs,
      fields: { prompt: 'prompt', maxTokens: 'max_tokens' },
      shape: completionShape,
      ignored,
    })
  }
}

interface Prepared {
  model: TextModel
  prompt: number[]
  pictures: SubmittedPicture[]
  /** Of the prompt's tokens, those that stand for pictures. */
  imageTokens: number
  maxTokens: number | undefined
  /** Most tokens when the caller names no number. */
  unasked: number
  topLogprobs: number | undefined
  /** What the route calls these. */
  fields: { prompt: string; maxTokens: string }
  shape: (reply: Reply) => Shape
  ignored: string[]
}

function jobOf(body: SamplingBody, limits: HttpLimits, prepared: Prepared): Job {
  const { model, prompt, pictures, imageTokens, maxTokens, unasked, topLogprobs, fields, shape, ignored } = prepared
  const { stream = false, stop = [], n = 1, pipeline, lane = 'default', return_token_ids = false } = body
  if (prompt.length === 0) throw new VolleyError('invalid_request', 'The prompt is empty', { param: fields.prompt })
  const stops = typeof stop === 'string' ? [stop] : stop
  if (stops.length > 0 && !model.hasTokenizer) {
    throw new VolleyError('tokenizer_missing', `Model "${model.name}" has no tokenizer, so no text to stop at`, {
      param: 'stop',
      remedy: 'use "stop_token_ids"',
    })
  }
  if (body.stream_options !== undefined && !stream) {
    throw new VolleyError('invalid_request', '"stream_options" needs "stream": true', { param: 'stream_options' })
  }
  const sampling = toSampling(body, model, { promptTokens: prompt.length, imageTokens, maxTokens, unasked, topLogprobs, fields })
  return {
    model,
    submission: {
      model: model.name,
      pipeline,
      lane,
      prompt,
      pictures,
      n,
      sampling,
      stop: stops,
      timeoutMs: limits.requestTimeoutMs,
    },
    imageTokens,
    shape,
    stream,
    includeUsage: body.stream_options?.include_usage ?? false,
    returnTokenIds: return_token_ids,
    ignored,
  }
}

async function promptIds(prompt: Prompt, served: ServedModel, limits: HttpLimits, signal: AbortSignal): Promise<number[]> {
  if (typeof prompt === 'string') {
    checkLength(prompt.length, limits, 'prompt')
    return await served.prompts({ text: prompt }, signal)
  }
  const [first, ...more] = prompt
  if (typeof first === 'string' || Array.isArray(first)) {
    if (more.length === 0) return await promptIds(first, served, limits, signal)
    throw new VolleyError('unsupported_parameter', `Several prompts in one request are not supported yet`, {
      param: 'prompt',
      remedy: 'send one request a prompt',
    })
  }
  const ids = prompt as number[]
  for (const id of ids) checkTokenId(id, served.text, 'prompt')
  return ids
}

function checkLength(chars: number, { promptChars }: HttpLimits, param: string): void {
  if (chars <= promptChars) return
  throw new VolleyError('invalid_request', `"${param}" is ${chars} characters long; at most ${promptChars} are taken`, {
    param,
  })
}
