/**
 * Bodies of the two generating routes, field by field. Types and ranges only: what depends on the model (context,
 * vocabulary) is checked where the model is known. `/openapi.json` is made from these.
 * @module
 */
import { z } from 'zod'
import { isToken } from '../../../runtime/ids.ts'
import type { HttpLimits } from './limits.ts'

/** A list whose length is looked at before its items, so that a huge wrong one costs nothing. */
const list = <T extends z.ZodType>(item: T, max: number) => z.array(z.unknown()).max(max).pipe(z.array(item))

const tokenName = z.string().refine(isToken, 'expected letters, digits, - or _')
const isTokenId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isOnePrompt = (value: unknown) => typeof value === 'string' || (Array.isArray(value) && value.every(isTokenId))

/** A text, its token ids, or a list of such. */
export type Prompt = string | number[] | (string | number[])[]

const promptSchema = z
  .custom<Prompt>(
    (value) => isOnePrompt(value) || (Array.isArray(value) && value.every(isOnePrompt)),
    'expected a string, a list of token ids, or a list of one of these; pictures go to /v1/chat/completions',
  )
  .meta({
    anyOf: [
      { type: 'string' },
      { type: 'array', items: { type: 'integer', minimum: 0 } },
      { type: 'array', items: { type: 'string' } },
      { type: 'array', items: { type: 'array', items: { type: 'integer', minimum: 0 } } },
    ],
  })

function samplingFields(limits: HttpLimits) {
  const stopString = z.string().min(1).max(limits.stopChars)
  const penalty = z.number().min(-2).max(2).optional()
  return {
    model: z.string().min(1),
    stream: z.boolean().optional(),
    stream_options: z.object({ include_usage: z.boolean().nullish() }).optional(),
    n: z.int().min(1).max(limits.choices).optional(),
    seed: z.int().optional(),
    stop: z
      .union([stopString, list(stopString, limits.stopStrings)], {
        error: `expected a string or up to ${limits.stopStrings} strings, each of 1 to ${limits.stopChars} characters`,
      })
      .optional(),
    stop_token_ids: list(z.int().min(0), limits.logitBias).optional(),
    max_tokens: z.int().min(1).optional(),
    temperature: z.number().min(0).max(2).optional(),
    top_p: z.number().gt(0).max(1).optional(),
    top_k: z.int().min(-1).optional(),
    min_p: z.number().min(0).max(1).optional(),
    logit_bias: z
      .record(z.string(), z.unknown())
      .refine((map) => Object.keys(map).length <= limits.logitBias, `expected at most ${limits.logitBias} entries`)
      .pipe(z.record(z.string().regex(/^\d{1,9}$/, 'expected a token id'), z.number().min(-100).max(100)))
      .optional(),
    presence_penalty: penalty,
    frequency_penalty: penalty,
    repetition_penalty: z.number().gt(0).max(100).optional(),
    return_token_ids: z.boolean().optional(),
    ignore_eos: z.boolean().optional(),
    pipeline: tokenName.optional(),
    lane: tokenName.optional(),
  }
}

const imageUrl = z.union([z.string(), z.looseObject({ url: z.string(), detail: z.enum(['auto', 'low', 'high']).nullish() })], {
  error: 'expected a URL, or an object with a "url" and maybe a "detail" of auto, low or high',
})
const part = z.looseObject({ type: z.string(), text: z.string().optional(), image_url: imageUrl.optional() })
const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: z.union([z.string(), list(part, 1024)], { error: 'expected a string or a list of content parts' }).nullish(),
})

export const chatSchema = (limits: HttpLimits) =>
  z.object({
    ...samplingFields(limits),
    messages: list(message, limits.messages).refine((messages) => messages.length > 0, 'expected at least one message'),
    max_completion_tokens: z.int().min(1).optional(),
    logprobs: z.boolean().optional(),
    top_logprobs: z.int().min(0).max(20).optional(),
  })

export const completionSchema = (limits: HttpLimits) =>
  z.object({
    ...samplingFields(limits),
    prompt: promptSchema,
    best_of: z.int().min(1).optional(),
    logprobs: z.int().min(0).max(20).optional(),
  })

export type ChatBody = z.infer<ReturnType<typeof chatSchema>>
/** What both bodies have. */
export type SamplingBody = z.infer<z.ZodObject<ReturnType<typeof samplingFields>>>
