/**
 * Reads a request's JSON body under limits of size and time, enforced while it arrives.
 * @module
 */
import type { Clock } from '../../../runtime/clock.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { HttpLimits } from './limits.ts'

/** What comes later may walk a body recursively; no request of OpenAI's goes half as deep. */
const MAX_DEPTH = 64
const JSON_TYPE = /^application\/([\w.+-]+\+)?json\s*(;|$)/i

/**
 * The body as an object. Errors: `unsupported_media_type`, `body_too_large`, `request_timeout`, `invalid_json`;
 * `cancelled` when the client went away in the middle.
 */
export async function readJsonObject(
  request: Request,
  { limits, clock }: { limits: HttpLimits; clock: Clock },
): Promise<Record<string, unknown>> {
  const type = request.headers.get('content-type') ?? ''
  if (!JSON_TYPE.test(type)) {
    throw new VolleyError('unsupported_media_type', `Cannot read a body of content type "${type}"`, {
      remedy: 'send JSON with the header content-type: application/json',
    })
  }
  if (Number(request.headers.get('content-length') ?? 0) > limits.bodyBytes) throw tooLarge(limits)
  const value = parse(await readBytes(request, limits, clock))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new VolleyError('invalid_json', 'The body must be a JSON object')
  }
  if (isDeeper(value, MAX_DEPTH)) {
    throw new VolleyError('invalid_json', `The body is nested deeper than ${MAX_DEPTH} levels`)
  }
  return value as Record<string, unknown>
}

async function readBytes(request: Request, limits: HttpLimits, clock: Clock): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  let late = false
  const stopTimer = clock.setTimer(limits.bodyTimeoutMs, () => {
    late = true
    // Ends the pending read below; what it rejects with is of no interest.
    reader.cancel().catch(() => undefined)
  })
  try {
    while (true) {
      const { done, value } = await reader.read()
      if (late) throw new VolleyError('request_timeout', `The body did not arrive within ${limits.bodyTimeoutMs} ms`)
      if (done) break
      length += value.byteLength
      if (length > limits.bodyBytes) throw tooLarge(limits)
      chunks.push(value)
    }
  } catch (error) {
    if (error instanceof VolleyError) throw error
    throw new VolleyError('cancelled', 'The client went away before its body was complete', { cause: error })
  } finally {
    stopTimer()
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    const what = error instanceof SyntaxError ? error.message : 'it is not valid UTF-8'
    throw new VolleyError('invalid_json', `Cannot parse the body as JSON: ${what}`, { cause: error })
  }
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' && value !== null &&
  (levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1)))

const tooLarge = (limits: HttpLimits) =>
  new VolleyError('body_too_large', `The body is larger than ${limits.bodyBytes} bytes`)
