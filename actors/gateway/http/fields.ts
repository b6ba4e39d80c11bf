/**
 * Fields of OpenAI's and vLLM's requests that Volley knows without acting on them: harmless ones, and ones that would
 * change the answer and are refused unless they say what happens anyway.
 * @module
 */
import { VolleyError } from '../../../runtime/errors.ts'

/** They change nothing about an answer: accepted in silence. */
const HARMLESS = new Set([
  'user',
  'metadata',
  'store',
  'service_tier',
  'parallel_tool_calls',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
])

const never = () => false
const is = (...values: unknown[]) => (value: unknown) => values.includes(value)
const isEmpty = (value: unknown) => typeof value === 'object' && Object.keys(value as object).length === 0

/** Field -> whether this value asks for nothing that Volley does not do. */
const REFUSED: Record<string, (value: unknown) => boolean> = {
  tools: isEmpty,
  tool_choice: is('none'),
  functions: isEmpty,
  function_call: is('none'),
  response_format: (value) => typeof value === 'object' && (value as { type?: unknown }).type === 'text',
  audio: never,
  modalities: (value) => Array.isArray(value) && value.every(is('text')),
  prediction: never,
  web_search_options: never,
  suffix: is(''),
  echo: is(false),
  min_tokens: is(0),
  prompt_logprobs: never,
  truncate_prompt_tokens: never,
  use_beam_search: is(false),
  length_penalty: is(1),
  bad_words: isEmpty,
  allowed_token_ids: never,
  skip_special_tokens: is(true),
  include_stop_str_in_output: is(false),
  continue_final_message: is(false),
  add_generation_prompt: is(true),
  chat_template: never,
  chat_template_kwargs: isEmpty,
  documents: isEmpty,
  guided_json: never,
  guided_regex: never,
  guided_choice: never,
  guided_grammar: never,
  structured_outputs: never,
}

/** Drops fields that are null: OpenAI's clients send it for absent. */
export const withoutNulls = (body: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))

/** Names of fields nobody knows. Error: `unsupported_parameter` for one that would change the answer. */
export function ignoredFields(body: Record<string, unknown>, known: object): string[] {
  const ignored: string[] = []
  for (const [field, value] of Object.entries(body)) {
    if (Object.hasOwn(known, field) || HARMLESS.has(field)) continue
    if (!Object.hasOwn(REFUSED, field)) ignored.push(field)
    else if (!REFUSED[field]!(value)) {
      throw new VolleyError('unsupported_parameter', `"${field}" is not supported yet`, {
        param: field,
        remedy: 'leave it out',
      })
    }
  }
  return ignored
}

/** Field names as one header value: the first ones, with what no header may carry percent-encoded. */
export const ignoredHeader = (fields: readonly string[]): string =>
  fields.slice(0, 32).map((field) => field.slice(0, 64).replace(/[^\w.-]/gu, encode)).join(', ')

const encode = (char: string) => [...Buffer.from(char)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
