/**
 * API keys: a bearer token is compared in constant time with every key there is.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { VolleyError } from '../../../runtime/errors.ts'

const digest = (text: string) => createHash('sha256').update(text).digest()

/** Lets through who holds a key, and everybody when there are no keys. Error: `invalid_api_key`. */
export function requireKey(keys: readonly string[], openPaths: ReadonlySet<string>): MiddlewareHandler {
  const digests = keys.map(digest)
  return async function requireKey(c, next) {
    if (digests.length === 0 || openPaths.has(c.req.path)) return next()
    const given = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '')?.[1]
    const givenDigest = digest(given ?? '')
    // All keys are compared, so that the time says nothing about which one came close.
    const matches = digests.filter((known) => timingSafeEqual(known, givenDigest)).length
    if (given !== undefined && matches > 0) return next()
    throw new VolleyError(
      'invalid_api_key',
      given === undefined ? 'No API key was given' : 'The API key is not valid',
      {
        remedy: 'send the header "Authorization: Bearer KEY" with a key the server was started with',
      },
    )
  }
}
