/**
 * How a pull fails: with an answer of the owner, which no other mechanism would change, or on the way, where another
 * mechanism may succeed.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { Refusal } from './offers.ts'

const MEANING: Record<Refusal, string> = {
  gone: 'the owner no longer has the bytes',
  denied: 'the owner does not accept the ticket',
  fenced: 'a higher attempt has redeemed the ticket',
}

/** Refusals in the order of their number on the wire. */
export const REFUSALS: readonly Refusal[] = ['gone', 'denied', 'fenced']

const refusals = new WeakSet<VolleyError>()

/** The owner said no. */
export function refusedError(refusal: Refusal): VolleyError {
  const error = new VolleyError('transfer_failed', `Cannot pull: ${MEANING[refusal]}`)
  refusals.add(error)
  return error
}

/** True for what the owner itself has said: asking another way is of no use. */
export const isRefusal = (error: unknown): boolean => error instanceof VolleyError && refusals.has(error)

/** Something on the way broke. */
export const brokenError = (what: string, cause?: unknown): VolleyError =>
  new VolleyError('transfer_failed', `Cannot pull: ${what}`, { cause })
