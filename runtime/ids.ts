/**
 * Ids that are safe as a NATS subject token and as a KV key.
 * @module
 */
import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** `prefix-` and 16 random characters (80 bits). */
export function newId(prefix: string): string {
  let out = prefix + '-'
  for (const byte of randomBytes(16)) out += ALPHABET[byte & 31]
  return out
}

/** An unguessable secret for tickets: 128 bits, hex. */
export const newSecret = (): string => randomBytes(16).toString('hex')

/** True when `text` may be used as one token of a subject. */
export const isToken = (text: string): boolean => /^[A-Za-z0-9_-]{1,128}$/.test(text)

/** Any name as one subject token: other characters become `_`. */
export const toToken = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 128) || '_'
