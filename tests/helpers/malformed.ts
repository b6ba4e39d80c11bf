/**
 * HTTP requests that nobody should send, from a seed: broken JSON, wrong fields, wrong methods, bad headers, garbage.
 * Each is plain bytes, so that it can be thrown at any server of the API; `judge` says what is wrong with the answer.
 * @module
 */
import { connect } from 'node:net'
import { type Random, seededRandom } from './random.ts'
import { UNSUPPORTED, WRONG_VALUES } from './malformed-values.ts'

export interface Malformed {
  name: string
  bytes: Buffer
  /** After the bytes: wait for an answer, or say that no more comes. */
  then: 'wait' | 'end'
  /** Not HTTP, or not a whole request: closing the connection is answer enough. */
  mayClose: boolean
}

export interface MalformedOptions {
  seed: number
  count: number
  /** A model that is served, and a number of tokens no context has room for. */
  model: string
  tooManyTokens: number
  /** Longest body taken. */
  bodyBytes: number
  /** Whether to send bodies that stop in the middle: the server's time-out for them must be short. @default {false} */
  stalled?: boolean
}

const ROUTES = ['/v1/chat/completions', '/v1/completions'] as const
type Make = (random: Random, options: MalformedOptions) => Malformed

/** The same list for the same options, every kind in turn. */
export function malformedRequests(options: MalformedOptions): Malformed[] {
  const random = seededRandom(options.seed)
  const kinds = [...KINDS, ...(options.stalled ? [stalledBody] : [])]
  return Array.from({ length: options.count }, (_, i) => {
    const made = kinds[i % kinds.length]!(random, options)
    return { ...made, name: `${i} ${made.name}` }
  })
}

function http(
  name: string,
  path: string,
  body: string | Buffer,
  more: { method?: string; headers?: Record<string, string> } = {},
) {
  const { method = 'POST', headers = {} } = more
  const all: Record<string, string> = {
    host: 'localhost',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...headers,
  }
  const lines = Object.entries(all).filter(([, value]) => value !== '').map(([key, value]) => `${key}: ${value}\r\n`)
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
  return {
    name,
    bytes: Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]),
    then: 'wait',
    mayClose: false,
  } as const
}

/** A body that would be answered, as JSON texts by field. */
function goodBody(path: string, model: string): Record<string, string> {
  const prompt = path === ROUTES[0]
    ? { messages: '[{"role":"user","content":"Hello there"}]' }
    : { prompt: '"Hello there"' }
  return { model: JSON.stringify(model), max_tokens: '4', temperature: '0', ...prompt }
}

const toJson = (fields: Record<string, string>): string =>
  `{${Object.entries(fields).map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`

const brokenJson: Make = (random, { model }) => {
  const path = random.pick(ROUTES)
  const good = toJson(goodBody(path, model))
  const depth = 1000 * (1 + random.below(100))
  const [name, body] = random.pick<[string, string | Buffer]>([
    ['cut JSON', good.slice(0, random.below(good.length))],
    ['comma at the end', good.slice(0, -1) + ',}'],
    ['single quotes', good.replaceAll('"', "'")],
    ['not an object', random.pick(['null', '1', '"x"', '[]', 'true', '[{}]'])],
    ['no body', ''],
    ['random bytes', random.bytes(1 + random.below(200))],
    ['invalid UTF-8', Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')])],
    ['deep array', '['.repeat(depth)],
    ['deep array, closed', '['.repeat(depth) + ']'.repeat(depth)],
    ['deep field', toJson({ ...goodBody(path, model), stop: '['.repeat(depth) + ']'.repeat(depth) })],
    [
      'deep unknown field',
      toJson({ ...goodBody(path, model), extra: '{"a":'.repeat(depth) + '1' + '}'.repeat(depth) }),
    ],
    ['NaN', toJson({ ...goodBody(path, model), temperature: 'NaN' })],
    ['two values', good + good],
  ])
  return http(name, path, body)
}

const wrongField: Make = (random, { model, tooManyTokens }) => {
  const path = random.pick(ROUTES)
  const own = path === ROUTES[0] ? 'chat' : 'completion'
  const fields = Object.entries(WRONG_VALUES).filter(([, { only = own }]) => only === own)
  const [field, { values }] = random.pick(fields)
  const value = random.pick(values).replace('$TOO_MANY', String(tooManyTokens))
  return http(`${field}: ${value.slice(0, 60)}`, path, toJson({ ...goodBody(path, model), [field]: value }))
}

const missingField: Make = (random, { model }) => {
  const path = random.pick(ROUTES)
  const { [random.pick(['model', path === ROUTES[0] ? 'messages' : 'prompt'])]: _, ...rest } = goodBody(path, model)
  return http('a field is missing', path, toJson(rest))
}

const unsupported: Make = (random, { model }) => {
  const path = random.pick(ROUTES)
  const [field, value] = random.pick(Object.entries(UNSUPPORTED))
  return http(`unsupported ${field}`, path, toJson({ ...goodBody(path, model), [field]: value }))
}

const wrongPlace: Make = (random, { model }) => {
  const path = random.pick(ROUTES)
  const body = toJson(goodBody(path, model))
  const method = random.pick(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET', 'TRACE'])
  const nowhere = random.pick([
    '/v1',
    '/v1/',
    '/v1/engines',
    '/v1/embeddings',
    '/v1//models',
    '/v1/models/none',
    '/v1/models/%zz',
    '/v1/models/%ff',
    '/v1/chat',
    '/v1/chat/completions/',
    '/v2/models',
    '/%00',
    '/v1/requests/none',
    '/v1/requests/..%2f..',
    '/nowhere',
    `/v1/models/${'x'.repeat(4000)}`,
    '/v1/requests/none/stream',
    '/v1/chat/completions%20',
    '/V1/models',
  ])
  return random.pick([
    http(`${method} ${path}`, path, method === 'GET' || method === 'TRACE' ? '' : body, { method }),
    http(`GET ${nowhere.slice(0, 40)}`, nowhere, '', { method: 'GET' }),
    http(`POST ${nowhere.slice(0, 40)}`, nowhere.replace('/v1/chat/completions/', '/v1/x'), body),
  ])
}

const badHeaders: Make = (random, { model, bodyBytes }) => {
  const path = random.pick(ROUTES)
  const body = toJson(goodBody(path, model))
  const closing = { mayClose: true }
  const with_ = (name: string, headers: Record<string, string>, sent: string | Buffer = body) =>
    http(name, path, sent, { headers })
  return random.pick<() => Malformed>([
    () => with_('no content type', { 'content-type': '' }),
    () => with_('a form', { 'content-type': 'application/x-www-form-urlencoded' }),
    () => with_('text', { 'content-type': 'text/plain' }),
    () => with_('no host', { host: '' }),
    () => with_('host of garbage', { host: 'a b<>' }),
    () => with_('too long a body', {}, Buffer.alloc(bodyBytes + 1, 0x20)),
    () => with_('too long a body announced', { 'content-length': String(bodyBytes + 1) }),
    () => ({ ...with_('content length of letters', { 'content-length': 'abc' }), ...closing }),
    () => ({ ...with_('negative content length', { 'content-length': '-5' }), ...closing }),
    () => ({ ...with_('both lengths', { 'transfer-encoding': 'chunked' }), ...closing }),
    () => ({ ...with_('huge header', { 'x-huge': 'x'.repeat(100_000) }), ...closing }),
    () => ({ ...with_('odd header name', { 'x(y)': '1' }), ...closing }),
    () => ({ ...with_('control character', { 'x-odd': 'a\u0001b' }), ...closing }),
    () => ({ ...with_('expectation', { expect: 'tea' }), ...closing }),
    () => ({
      ...with_('chunks of no size', { 'content-length': '', 'transfer-encoding': 'chunked' }, 'zz\r\nhello\r\n'),
      ...closing,
    }),
    () => ({
      ...with_('a chunk cut', { 'content-length': '', 'transfer-encoding': 'chunked' }, 'ff\r\n{"a'),
      then: 'end' as const,
      ...closing,
    }),
    () => ({ ...with_('a body cut', { 'content-length': '5000' }), then: 'end' as const, ...closing }),
  ])()
}

const garbage: Make = (random) => {
  const [name, bytes] = random.pick<[string, Buffer]>([
    ['random bytes', random.bytes(1 + random.below(3000))],
    ['a TLS greeting', Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), random.bytes(500)])],
    ['an HTTP/2 preface', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['HTTP/0.9', Buffer.from('GET /\r\n')],
    ['an unknown version', Buffer.from('GET / HTTP/9.9\r\nhost: x\r\n\r\n')],
    ['an unknown method', Buffer.from('BREW /v1/models HTTP/1.1\r\nhost: x\r\n\r\n')],
    ['half a request line', Buffer.from('POST /v1/chat/comp')],
    ['half the headers', Buffer.from('POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-')],
    ['empty lines', Buffer.from('\r\n'.repeat(100))],
    ['a tunnel', Buffer.from('CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n')],
    ['a target with a space', Buffer.from('GET /v1/mo dels HTTP/1.1\r\nhost: x\r\n\r\n')],
    ['zeroes', Buffer.alloc(200)],
  ])
  return { name, bytes, then: 'end', mayClose: true }
}

const stalledBody: Make = (random, { model }) => {
  const path = random.pick(ROUTES)
  const body = toJson(goodBody(path, model))
  return http('a body that stalls', path, body, {
    headers: { 'content-length': String(body.length + 1 + random.below(1000)) },
  })
}

const KINDS: readonly Make[] = [
  brokenJson,
  wrongField,
  wrongField,
  wrongField,
  missingField,
  unsupported,
  wrongPlace,
  badHeaders,
  garbage,
]

/** Sends one and reads all that comes back until the connection closes. */
export function send({ bytes, then }: Malformed, url: string, timeoutMs: number): Promise<Buffer | 'timeout'> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(port), hostname)
    const timer = setTimeout(() => {
      socket.destroy()
      resolve('timeout')
    }, timeoutMs)
    socket.on('data', (chunk) => chunks.push(chunk))
    // A reset after the answer is the server's way to say that it reads no more.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(chunks))
    })
    if (then === 'end') socket.end(bytes)
    else socket.write(bytes)
  })
}

/** What is wrong with an answer to a malformed request; undefined = nothing. */
export function judge({ mayClose }: Malformed, answer: Buffer | 'timeout'): string | undefined {
  if (answer === 'timeout') return 'no answer in time'
  const text = answer.toString()
  if (text === '') return mayClose ? undefined : 'closed without an answer'
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1])
  if (!(status >= 400 && status < 500)) return `answered ${text.slice(0, 200)}`
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  const json = /transfer-encoding: chunked/i.test(text) ? body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/gi, '') : body
  try {
    const { error } = JSON.parse(json)
    const shaped = ['message', 'type', 'code'].every((key) => typeof error[key] === 'string') && 'param' in error
    return shaped ? undefined : `error without its fields: ${json.slice(0, 200)}`
  } catch {
    return `status ${status} with a body that is no JSON: ${json.slice(0, 200)}`
  }
}
