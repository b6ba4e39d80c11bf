/**
 * Errors as OpenAI's clients expect them: `{"error":{message,type,code,param}}` with the status of the code's table.
 * @module
 */
import { toVolleyError, type VolleyError } from '../../../runtime/errors.ts'

/** Seconds after which a full or starting system is worth another try. */
const RETRY_AFTER_S = 1

export interface ErrorBody {
  error: { message: string; type: string; code: string; param: string | null }
}

/** An error as a body. What `internal` errors say stays in the log: it may name files or addresses. */
export function errorBody(error: VolleyError): ErrorBody {
  const { code, kind, remedy, param = null } = error
  const message = code === 'internal' ? 'Something went wrong inside the gateway' : error.message
  return { error: { message: remedy ? `${message}. To fix: ${remedy}` : message, type: kind.type, code, param } }
}

/** Anything thrown, as an answer. */
export function errorResponse(thrown: unknown, headers: Record<string, string> = {}): Response {
  const error = toVolleyError(thrown)
  const { status } = error.kind
  const retry = status === 429 || status === 503 ? { 'retry-after': String(RETRY_AFTER_S) } : {}
  return new Response(JSON.stringify(errorBody(error)), {
    status,
    headers: { 'content-type': 'application/json', ...retry, ...headers },
  })
}
