/**
 * One error class, one table of codes. A code is stable: clients and tests match on it, never on the text.
 * Every message says what was wrong; `remedy` says what to do about it.
 * @module
 */

/** HTTP status, CLI exit code (1 failed, 2 wrong usage, 3 something needed is missing) and OpenAI error type of a code. */
export interface ErrorKind {
  status: number
  exit: 1 | 2 | 3
  type: 'invalid_request_error' | 'authentication_error' | 'rate_limit_error' | 'server_error'
}

const caller = (status = 400, exit: 1 | 2 | 3 = 1): ErrorKind => ({ status, exit, type: 'invalid_request_error' })
const server = (status: number, exit: 1 | 2 | 3 = 1): ErrorKind => ({ status, exit, type: 'server_error' })

/** Every code there is. `docs/errors.md` lists the same ones; a test compares. */
export const ERROR_KINDS = {
  // the caller's request
  invalid_request: caller(),
  invalid_json: caller(),
  unsupported_parameter: caller(),
  unsupported_endpoint: caller(404),
  model_not_found: caller(404),
  request_not_found: caller(404),
  method_not_allowed: caller(405),
  unsupported_media_type: caller(415),
  body_too_large: caller(413),
  request_timeout: caller(408),
  context_length_exceeded: caller(),
  tokenizer_missing: caller(),
  image_invalid: caller(),
  image_unsupported: caller(415),
  image_too_large: caller(413),
  image_url_refused: caller(),
  image_fetch_failed: caller(),
  model_has_no_vision: caller(),
  invalid_api_key: { status: 401, exit: 1, type: 'authentication_error' },
  pipeline_not_found: caller(404),
  // the system's state
  flip_refused: caller(409),
  overloaded: { status: 429, exit: 1, type: 'rate_limit_error' },
  no_instance: server(503, 3),
  shutting_down: server(503),
  cancelled: server(499),
  deadline: server(504),
  gateway_gone: server(503),
  record_gone: server(500),
  poison: server(500),
  actor_failed: server(500),
  internal: server(500),
  // bus, transfer, engine
  bus_unreachable: server(503, 3),
  bus_timeout: server(503),
  no_responders: server(503),
  bus_conflict: server(500),
  server_too_old: server(500, 3),
  kv_lost: server(500),
  kv_exhausted: server(503),
  transfer_failed: server(500),
  engine_failed: server(500),
  engine_unavailable: server(500, 3),
  // files, models, set-up
  model_file_missing: server(500, 3),
  model_file_invalid: server(500),
  model_unsupported: server(500),
  tensor_shape: server(500),
  template_failed: caller(),
  port_taken: server(500, 3),
  nats_server_missing: server(500, 3),
  download_failed: server(500, 3),
  checksum_mismatch: server(500),
  setup_failed: server(500, 3),
  cannot_write: server(500, 3),
  // the command line
  unknown_flag: caller(400, 2),
  invalid_flag: caller(400, 2),
  unknown_command: caller(400, 2),
  invalid_config: caller(400, 2),
  runtime_ambiguous: caller(400, 2),
  policy_invalid: caller(400, 2),
  pipeline_invalid: caller(400, 2),
} as const satisfies Record<string, ErrorKind>

/** One of the stable codes. */
export type ErrorCode = keyof typeof ERROR_KINDS

/** More about an error than its code and text. */
export interface ErrorDetails {
  /** What to do about it: a sentence, with the exact command where there is one. */
  remedy?: string
  /** The request's field, flag or file that is wrong. */
  param?: string
  cause?: unknown
}

/** The only error class Volley throws on purpose. */
export class VolleyError extends Error {
  readonly code: ErrorCode
  readonly remedy: string | undefined
  readonly param: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'VolleyError'
    this.code = code
    this.remedy = details.remedy
    this.param = details.param
  }

  get kind(): ErrorKind {
    return ERROR_KINDS[this.code]
  }

  /** One line for people: what, then how to fix it, then the code. */
  toLine(): string {
    return `${this.message}.${this.remedy ? ` To fix: ${this.remedy}` : ''} [${this.code}]`
  }
}

/** True for our errors, also for those that came from another copy of this module (so: by shape, not `instanceof`). */
export function isVolleyError(error: unknown, code?: ErrorCode): error is VolleyError {
  const e = error as { name?: unknown; code?: unknown } | null
  if (typeof e !== 'object' || e === null || e.name !== 'VolleyError') return false
  return code === undefined ? typeof e.code === 'string' && e.code in ERROR_KINDS : e.code === code
}

/** What systems say when a file or folder cannot be made or filled: a person has to mend that. */
const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST'])

/** Anything thrown, as a VolleyError: of `code`, or `cannot_write` where the system refused a file. */
export function toVolleyError(error: unknown, code: ErrorCode = 'internal'): VolleyError {
  if (isVolleyError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  const { code: reason, path } = (error ?? {}) as { code?: unknown; path?: unknown }
  if (code === 'internal' && typeof path === 'string' && UNWRITABLE.has(reason as string)) {
    const remedy = 'make room or rights there, or choose other folders by VOLLEY_CACHE and VOLLEY_STATE.'
    return new VolleyError('cannot_write', message, { remedy, param: path, cause: error })
  }
  return new VolleyError(code, message, { cause: error })
}
