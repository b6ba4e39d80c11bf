/**
 * A checked body as the engine's sampling parameters, held against the model it names.
 * @module
 */
import { randomInt } from 'node:crypto'
import type { SamplingParams } from '../../../runtime/engine/engine.ts'
import type { TextModel } from '../../../runtime/engine/text.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { SamplingBody } from './schemas.ts'

interface Wanted {
  promptTokens: number
  /** Of these, those that stand for pictures. */
  imageTokens: number
  /** Undefined = `unasked`, or what fits of it. */
  maxTokens: number | undefined
  unasked: number
  topLogprobs: number | undefined
  /** What the route calls these. */
  fields: { prompt: string; maxTokens: string }
}

/** Errors: `context_length_exceeded`, `invalid_request` for token ids outside the vocabulary. */
export function toSampling(body: SamplingBody, model: TextModel, wanted: Wanted): SamplingParams {
  const { temperature = 1, top_p = 1, top_k = 0, min_p = 0, seed = randomInt(2 ** 32), ignore_eos = false } = body
  const callerStops = body.stop_token_ids ?? []
  for (const id of callerStops) checkTokenId(id, model, 'stop_token_ids')
  const stopTokens = [...new Set([...(ignore_eos ? [] : model.endTokens), ...callerStops])]
  return {
    maxTokens: maxTokensOf(model, wanted),
    temperature,
    topP: top_p,
    topK: Math.max(0, top_k),
    minP: min_p,
    // Any integer is a seed; the engine's are unsigned 32 bit.
    seed: seed >>> 0,
    presencePenalty: body.presence_penalty ?? 0,
    frequencyPenalty: body.frequency_penalty ?? 0,
    repetitionPenalty: body.repetition_penalty ?? 1,
    logitBias: Object.entries(body.logit_bias ?? {})
      .map(([id, bias]) => [checkTokenId(Number(id), model, 'logit_bias'), bias]),
    ...(wanted.topLogprobs === undefined ? {} : { topLogprobs: wanted.topLogprobs }),
    stopTokens,
    // The engine's flag is about every stop token; the caller's own stay in force.
    ignoreEos: ignore_eos && callerStops.length === 0,
  }
}

function maxTokensOf({ name, contextLength }: TextModel, wanted: Wanted): number {
  const { promptTokens, imageTokens, maxTokens, unasked, fields } = wanted
  const left = contextLength - promptTokens
  const least = maxTokens ?? 1
  if (least <= left) return maxTokens ?? Math.min(unasked, left)
  throw new VolleyError(
    'context_length_exceeded',
    `Model "${name}" has a context of ${contextLength} tokens, but the request needs ${promptTokens + least}: ` +
      `${promptTokens} of prompt${imageTokens > 0 ? ` (${imageTokens} of them for pictures)` : ''} and ${maxTokens ?? 'at least 1'} to generate`,
    {
      param: left < 1 ? fields.prompt : fields.maxTokens,
      remedy: [
        ...(imageTokens > 0 ? ['send fewer pictures, or with "detail": "low"'] : []),
        'shorten the prompt',
        ...(maxTokens === undefined ? [] : [`lower ${fields.maxTokens}`]),
      ].join(' or '),
    },
  )
}

/** The id itself. Error: `invalid_request` when the vocabulary has no such token. */
export function checkTokenId(id: number, { name, vocabSize }: TextModel, param: string): number {
  if (id < vocabSize) return id
  throw new VolleyError(
    'invalid_request',
    `"${param}": token ${id} is not in the vocabulary of "${name}" (${vocabSize} tokens)`,
    { param },
  )
}
