/**
 * Checksums of files.
 * @module
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { VolleyError } from '../errors.ts'

/** SHA-256 of a file, hex. */
async function sha256Of(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
    hash.update(chunk as Buffer)
  }
  return hash.digest('hex')
}

/** Error `checksum_mismatch` unless the file's SHA-256 is one of those that are expected. */
export async function checkSha256(path: string, expected: readonly string[], what: string): Promise<void> {
  const actual = await sha256Of(path)
  if (expected.includes(actual)) return
  throw new VolleyError(
    'checksum_mismatch',
    `${what} has the wrong checksum: sha256 ${actual}, expected ${expected.join(' or ')}`,
    {
      remedy: 'try again; if it stays, what serves it is not what it claims to be: do not use it',
    },
  )
}
