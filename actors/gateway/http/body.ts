/**
 * Reads a request's JSON body under limits of size and time, enforced while it arrives.
 * @module
 */
import type { Clock } from '../../../runtime/clock.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { Hold } from '../pictures/budget.ts'

export interface BodyOptions {
  clock: Clock
  /** Longest body, and longest wait for it. */
  maxBytes: number
  timeoutMs: number
  /** What it holds while it is read, and after. */
  hold: Hold
}

/** What comes later may walk a body recursively; no request of OpenAI's goes half as deep. */
const MAX_DEPTH = 64
/** Each may become a value of fifty bytes and more; a base64 text has none of them. */
const MAX_SEPARATORS = 2 ** 21
const SEPARATORS = [...',[{'].map((char) => char.charCodeAt(0))
const JSON_TYPE = /^application\/([\w.+-]+\+)?json\s*(;|$)/i

/**
 * The body as an object. Errors: `unsupported_media_type`, `body_too_large`, `request_timeout`, `invalid_json`,
 * `overloaded`; `cancelled` when the client went away in the middle.
 */
export async function readJsonObject(request: Request, options: BodyOptions): Promise<Record<string, unknown>> {
  const type = request.headers.get('content-type') ?? ''
  if (!JSON_TYPE.test(type)) {
    throw new VolleyError('unsupported_media_type', `Cannot read a body of content type "${type}"`, {
      remedy: 'send JSON with the header content-type: application/json',
    })
  }
  if (Number(request.headers.get('content-length') ?? 0) > options.maxBytes) throw tooLarge(options)
  const value = parse(await readBytes(request, options))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new VolleyError('invalid_json', 'The body must be a JSON object')
  }
  if (isDeeper(value, MAX_DEPTH)) {
    throw new VolleyError('invalid_json', `The body is nested deeper than ${MAX_DEPTH} levels`)
  }
  return value as Record<string, unknown>
}

async function readBytes(request: Request, options: BodyOptions): Promise<Buffer> {
  const { clock, maxBytes, timeoutMs, hold } = options
  if (request.body === null) return Buffer.alloc(0)
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  let late = false
  const stopTimer = clock.setTimer(timeoutMs, () => {
    late = true
    // Ends the pending read below; what it rejects with is of no interest.
    reader.cancel().catch(() => undefined)
  })
  try {
    while (true) {
      const { done, value } = await reader.read()
      if (late) throw new VolleyError('request_timeout', `The body did not arrive within ${timeoutMs} ms`)
      if (done) break
      length += value.byteLength
      if (length > maxBytes) throw tooLarge(options)
      hold.add(value.byteLength)
      chunks.push(value)
    }
  } catch (error) {
    if (error instanceof VolleyError) throw error
    throw new VolleyError('cancelled', 'The client went away before its body was complete', { cause: error })
  } finally {
    stopTimer()
  }
  return Buffer.concat(chunks)
}

function parse(bytes: Buffer): unknown {
  if (bytes.length > MAX_SEPARATORS) refuseManyValues(bytes)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    const what = error instanceof SyntaxError ? error.message : 'it is not valid UTF-8'
    throw new VolleyError('invalid_json', `Cannot parse the body as JSON: ${what}`, { cause: error })
  }
}

function refuseManyValues(bytes: Buffer): void {
  let separators = 0
  for (const one of SEPARATORS) {
    // A Buffer's search is the fast one, and in pictures there is nothing to find.
    for (let at = bytes.indexOf(one); at >= 0; at = bytes.indexOf(one, at + 1)) {
      if (++separators > MAX_SEPARATORS) throw new VolleyError('body_too_large', `The body has more than ${MAX_SEPARATORS} values`)
    }
  }
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' && value !== null &&
  (levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1)))

const tooLarge = ({ maxBytes }: BodyOptions) =>
  new VolleyError('body_too_large', `The body is larger than ${maxBytes} bytes`)
