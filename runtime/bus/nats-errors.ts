/**
 * Turns what the NATS client throws into the stable codes of the port. Knows the client's error classes, no subjects.
 * @module
 */
import { errors } from '@nats-io/transport-node'
import { JetStreamApiCodes, JetStreamApiError, JetStreamError } from '@nats-io/jetstream'
import { isVolleyError, VolleyError } from '../errors.ts'

/** JetStream's own error for "stream exists with another configuration". */
const STREAM_NAME_IN_USE = 10058

/** True when a stream of that name exists with another configuration. */
export const isNameInUse = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === STREAM_NAME_IN_USE

/** True when the server has no such stream. */
export const isStreamMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound

/**
 * An error of a core request: `no_responders`, `bus_timeout`, `bus_unreachable` (closed), `body_too_large`, `internal`
 * (denied).
 */
export function fromRequest(error: unknown, what: string): VolleyError {
  if (isVolleyError(error)) return error
  if (error instanceof errors.RequestError && error.isNoResponders()) {
    return new VolleyError('no_responders', `Nobody answers ${what}`, { cause: error })
  }
  if (isTimeout(error)) {
    return new VolleyError('bus_timeout', `No answer in time to ${what}`, { cause: error })
  }
  if (error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError) {
    return closedError(what, error)
  }
  if (error instanceof errors.InvalidArgumentError && error.message.includes('max_payload')) {
    return new VolleyError('body_too_large', `Over the server's limit for one message: ${what}`, { cause: error })
  }
  return new VolleyError('internal', `Cannot do ${what}: ${error instanceof Error ? error.message : error}`, {
    cause: error,
  })
}

/**
 * An error of the JetStream interface: `bus_conflict` for a failed expectation; `bus_timeout` for everything that
 * passes by itself (no leader yet, JetStream still starting); what is left as for a core request.
 */
export function fromJetStream(error: unknown, what: string): VolleyError {
  if (error instanceof JetStreamApiError) {
    const conflict = error.code === JetStreamApiCodes.StreamWrongLastSequence ||
      error.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown
    if (conflict) return new VolleyError('bus_conflict', `Somebody else wrote before ${what}`, { cause: error })
    if (error.status !== 503) {
      const remedy = isStreamMissing(error) ? { remedy: 'call setUp() of the bus first' } : {}
      return new VolleyError('internal', `The server refuses ${what}: ${error.message}`, { cause: error, ...remedy })
    }
  }
  const plain = error instanceof JetStreamError || error instanceof JetStreamApiError || isNotEnabled(error)
  if (plain) return new VolleyError('bus_timeout', `JetStream is not ready for ${what}`, { cause: error })
  const request = fromRequest(error, what)
  return request.code === 'no_responders'
    ? new VolleyError('bus_timeout', `JetStream is not ready for ${what}`, { cause: error })
    : request
}

/** What waits on a connection that was closed for good gets this. */
export const closedError = (what: string, cause?: unknown): VolleyError =>
  new VolleyError('bus_unreachable', `The connection to NATS is closed: ${what} is not possible`, { cause })

const isTimeout = (error: unknown): boolean =>
  error instanceof errors.TimeoutError || (error instanceof Error && error.cause instanceof errors.TimeoutError)

/** The client does not export this class by name; its message says what it is. */
const isNotEnabled = (error: unknown): boolean =>
  error instanceof Error && error.constructor.name === 'JetStreamNotEnabled'
