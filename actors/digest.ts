/**
 * SHA-256 over bytes that travel, in slices: the connection's thread must not stand still for a large picture.
 * @module
 */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

/** About 4 ms. */
const SLICE_BYTES = 4 * 1024 * 1024

/** In hex. */
export async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    if (at > 0) await setImmediate()
    hash.update(bytes.subarray(at, at + SLICE_BYTES))
  }
  return hash.digest('hex')
}
