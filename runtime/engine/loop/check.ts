/**
 * What a job must be before it may take room. The front door has seen to most of it; this keeps an engine whole
 * whatever arrives.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { DecodeJob, EngineInfo, GivenMark, PrefillJob, SamplingParams } from '../engine.ts'

/** Errors: `context_length_exceeded`, `invalid_request`. */
export function checkPrefill(job: PrefillJob, info: EngineInfo): void {
  const { tokens, choices, sampling, given = [] } = job
  if (tokens.length === 0) throw invalid('The prompt is empty', 'prompt')
  if (!(Number.isInteger(choices) && choices >= 1)) throw invalid(`${choices} choices cannot be drawn`, 'n')
  if (tokens.length >= info.contextLength) throw tooLong(tokens.length, info)
  checkTokens(tokens, info, 'prompt')
  const misplaced = givenProblem(given, tokens.length)
  if (misplaced) throw invalid(misplaced, 'prompt')
  checkSampling(sampling)
}

/** What is wrong with marks over a prompt of so many tokens; `undefined` = nothing. */
export function givenProblem(marks: readonly GivenMark[], promptTokens: number): string | undefined {
  let free = 0
  for (const { start, tokens, name } of marks) {
    const whole = Number.isInteger(start) && Number.isInteger(tokens) && tokens > 0
    if (!whole || start < free || start + tokens > promptTokens) {
      return `${tokens} vectors of ${name} at ${start} have no place of their own in a prompt of ${promptTokens} tokens`
    }
    free = start + tokens
  }
  return undefined
}

/** Errors: `kv_lost` (the hold is of another prompt), `context_length_exceeded`, `invalid_request`. */
export function checkDecode(job: DecodeJob, held: readonly number[], info: EngineInfo): void {
  if (job.prompt.length !== held.length || job.prompt.some((token, i) => token !== held[i])) {
    throw new VolleyError('kv_lost', `The hold "${job.hold}" is of another prompt`, {
      remedy: 'Prefill the prompt again.',
    })
  }
  if (job.choices.length === 0) throw invalid('A decode needs at least one choice', 'n')
  for (const { choice, generated } of job.choices) {
    if (generated.length === 0) throw invalid(`Choice ${choice} has no first token`, 'n')
    if (held.length + generated.length > info.contextLength) throw tooLong(held.length + generated.length, info)
    checkTokens(generated, info, 'generated')
  }
  checkSampling(job.sampling)
}

function checkTokens(tokens: readonly number[], { vocabSize }: EngineInfo, param: string): void {
  for (const token of tokens) {
    if (Number.isInteger(token) && token >= 0 && token < vocabSize) continue
    throw invalid(`Token id ${token} is not one of this model's ${vocabSize}`, param)
  }
}

function checkSampling(sampling: SamplingParams): void {
  const { maxTokens, temperature, topP, minP, repetitionPenalty } = sampling
  if (!(maxTokens >= 1)) throw invalid(`max_tokens must be at least 1, not ${maxTokens}`, 'max_tokens')
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw invalid(`temperature cannot be ${temperature}`, 'temperature')
  }
  if (!(topP > 0 && topP <= 1)) throw invalid(`top_p must lie in (0, 1], not ${topP}`, 'top_p')
  if (!(minP >= 0 && minP <= 1)) throw invalid(`min_p must lie in [0, 1], not ${minP}`, 'min_p')
  if (!(repetitionPenalty > 0)) {
    throw invalid(`repetition_penalty must be above 0, not ${repetitionPenalty}`, 'repetition_penalty')
  }
}

const invalid = (message: string, param: string) => new VolleyError('invalid_request', message, { param })

const tooLong = (tokens: number, { contextLength }: EngineInfo) =>
  new VolleyError('context_length_exceeded', `${tokens} tokens do not fit into a context of ${contextLength}`, {
    remedy: 'Shorten the prompt, or start with a larger --context.',
    param: 'prompt',
  })
