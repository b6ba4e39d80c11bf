/**
 * The bytes in a `data:` URL. What kind of file it says it holds does not matter: the bytes tell.
 * Format: RFC 2397.
 * @module
 */
import { VolleyError } from '../../../runtime/errors.ts'

/** Error: `image_invalid`. */
export function dataUrlBytes(url: string): Uint8Array {
  const comma = url.indexOf(',')
  if (comma < 0) throw invalid('it has no comma before its data')
  const base64 = /;\s*base64\s*$/i.test(url.slice(0, comma))
  const data = url.slice(comma + 1)
  const text = data.includes('%') ? unescaped(data) : data
  return base64 ? base64Bytes(text) : Buffer.from(text, 'latin1')
}

/** Each `%41` as one character of that code. */
const unescaped = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))

/** The decoder passes over what is no base64: that some of it was there is seen by the length. */
function base64Bytes(text: string): Uint8Array {
  const packed = /\s/.test(text) ? text.replace(/\s+/g, '') : text
  const digits = packed.endsWith('==') ? packed.length - 2 : packed.endsWith('=') ? packed.length - 1 : packed.length
  const bytes = Buffer.from(packed, 'base64')
  if (digits % 4 === 1 || bytes.length !== Math.floor((digits * 3) / 4)) throw invalid('its data is no base64')
  return bytes
}

const invalid = (why: string): VolleyError =>
  new VolleyError('image_invalid', `Cannot read the data: URL: ${why}`, {
    remedy: 'send data:image/png;base64, followed by the whole file in base64.',
  })
