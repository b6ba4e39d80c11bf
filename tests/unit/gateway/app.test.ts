import { beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../actors/gateway/http/app.ts'
import { byteModel } from '../../helpers/byte-model.ts'
import { FakeFront } from '../../helpers/fake-front.ts'
import { type Loose, post } from '../../helpers/http.ts'

let front: FakeFront
let app: ReturnType<typeof createApp>
beforeEach(() => {
  front = new FakeFront(byteModel(), byteModel({ name: 'org/other' }))
  app = createApp({ front })
})
const get = async (path: string, init?: RequestInit): Promise<{ status: number; body: Loose; headers: Headers }> => {
  const response = await app.request(path, init)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, body: isJson && text !== '' ? JSON.parse(text) : text, headers: response.headers }
}
const completion = (more: object = {}) => post(app, '/v1/completions', { model: 'bytes', prompt: 'Hi', ...more })
const chatError = async (more: object): Promise<Loose> => {
  const messages = [{ role: 'user', content: 'Hi' }]
  const response = await post(app, '/v1/chat/completions', { model: 'bytes', messages, ...more })
  return { status: response.status, ...(await response.json() as Loose).error }
}

describe('models', () => {
  it('are listed and shown one by one, with a slash in the name or without', async () => {
    const { body } = await get('/v1/models')
    expect(body).toMatchObject({
      object: 'list',
      data: [{ id: 'bytes', object: 'model', owned_by: 'volley' }, { id: 'org/other' }],
    })
    expect((await get('/v1/models/bytes')).body).toEqual(body.data[0])
    for (const name of ['org/other', 'org%2Fother']) expect((await get(`/v1/models/${name}`)).body.id).toBe('org/other')
    expect(await get('/v1/models/none')).toMatchObject({ status: 404, body: { error: { code: 'model_not_found' } } })
  })
})

describe('requests', () => {
  it('are found by the id of the answer, with state and history', async () => {
    const id = (await completion()).headers.get('x-request-id')
    const { body } = await get(`/v1/requests/${id}`)
    expect(body).toMatchObject({ id, object: 'request', state: 'done', model: 'bytes', context: {} })
    expect(body.history.map((h: Loose) => h.state)).toEqual(['decode', 'done'])
    expect((await get('/v1/requests')).body).toMatchObject({ object: 'list', data: [{ id, state: 'done' }] })
    expect((await get(`/v1/requests/${id}`, { method: 'DELETE' })).body).toEqual({
      id,
      object: 'request',
      cancelled: true,
    })
  })

  it('that are unknown get 404, and joining a stream is refused', async () => {
    for (const method of ['GET', 'DELETE']) {
      expect((await get('/v1/requests/..%2fnone', { method })).status).toBe(404)
      expect(await get('/v1/requests/none', { method })).toMatchObject({
        status: 404,
        body: { error: { code: 'request_not_found' } },
      })
    }
    expect(await get('/v1/requests/none/stream')).toMatchObject({
      status: 400,
      body: { error: { code: 'unsupported_parameter' } },
    })
  })

  it('get a new id although the client brings one', async () => {
    const response = await post(app, '/v1/completions', { model: 'bytes', prompt: 'Hi' }, { 'x-request-id': 'mine' })
    expect(response.headers.get('x-request-id')).not.toBe('mine')
  })
})

describe('places and methods', () => {
  it('that do not exist get 404 that names those that do', async () => {
    const { status, body } = await get('/v1/audio/speech', { method: 'POST' })
    expect(status).toBe(404)
    expect(body.error.code).toBe('unsupported_endpoint')
    expect(body.error.message).toContain('/v1/chat/completions')
    expect((await get('/elsewhere')).status).toBe(404)
  })

  it('that do not fit get 405 and what does', async () => {
    const { status, body, headers } = await get('/v1/chat/completions')
    expect({ status, code: body.error.code, allow: headers.get('allow') }).toEqual({
      status: 405,
      code: 'method_not_allowed',
      allow: 'POST',
    })
    expect((await get('/v1/requests/x', { method: 'PUT' })).headers.get('allow')).toBe('GET, HEAD, DELETE')
  })
})

describe('API keys', () => {
  it('are asked for everywhere but at /health and /ready', async () => {
    app = createApp({ front, apiKeys: ['one', 'two'] })
    const as = (authorization?: string) =>
      get('/v1/models', authorization === undefined ? {} : { headers: { authorization } })
    expect((await as('Bearer two')).status).toBe(200)
    expect((await as('bearer one')).status).toBe(200)
    for (const wrong of [undefined, '', 'two', 'Bearer', 'Bearer three', 'Basic two', 'Bearer one two']) {
      expect(await as(wrong)).toMatchObject({
        status: 401,
        body: { error: { code: 'invalid_api_key', type: 'authentication_error' } },
      })
    }
    expect((await get('/metrics')).status).toBe(401)
    expect((await get('/nowhere')).status).toBe(401)
    expect([(await get('/health')).status, (await get('/ready')).status]).toEqual([200, 200])
  })
})

describe('bodies', () => {
  it('over the limit are refused, announced or not', async () => {
    app = createApp({ front, limits: { bodyBytes: 100 } })
    expect((await completion({ prompt: 'x'.repeat(100) })).status).toBe(413)
    const stream = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(new Uint8Array(10))
        controller.close()
      },
    })
    const init: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    }
    expect(await get('/v1/completions', init)).toMatchObject({
      status: 413,
      body: { error: { code: 'body_too_large' } },
    })
  })

  it('nested too deep are refused', async () => {
    const nested = (levels: number) =>
      JSON.stringify({ model: 'bytes', prompt: 'Hi', extra: 0 })
        .replace(':0', ':' + '['.repeat(levels) + ']'.repeat(levels))
    expect((await post(app, '/v1/completions', nested(60))).status).toBe(200)
    expect((await post(app, '/v1/completions', nested(100_000))).status).toBe(400)
  })

  it('that are no JSON are refused, and other types', async () => {
    for (const body of ['{"model":', '', '[]', 'null', '"x"']) {
      const response = await post(app, '/v1/completions', body)
      expect([response.status, (await response.json() as Loose).error.code]).toEqual([400, 'invalid_json'])
    }
    expect((await post(app, '/v1/completions', '{}', { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await post(app, '/v1/completions', '{}', { 'content-type': 'application/json; charset=utf-8' })).status)
      .toBe(400)
  })
})

describe('fields', () => {
  it.each([
    [{ messages: undefined }, 'messages', 'invalid_request', '"messages" is missing'],
    [{ messages: [] }, 'messages', 'invalid_request', 'at least one'],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content', 'invalid_request', 'a string or a list'],
    [{ messages: [{ role: 'user', content: null }] }, 'messages[0].content', 'invalid_request', 'missing'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      'messages[0].content[0]',
      'invalid_request',
      'image_url',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'image_url', image_url: 'data:,' }] }] },
      'messages[0].content[1]',
      'model_has_no_vision',
      'sees no pictures',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] },
      'messages[0].content[0]',
      'unsupported_parameter',
      'input_audio',
    ],
    [{ temperature: 3 }, 'temperature', 'invalid_request', '<=2'],
    [{ stop: [''] }, 'stop[0]', 'invalid_request', '>=1'],
    [{ stop: 5 }, 'stop', 'invalid_request', '1 to 256'],
    [{ logit_bias: { '999': 1 } }, 'logit_bias', 'invalid_request', 'vocabulary'],
    [{ max_tokens: 3, max_completion_tokens: 4 }, 'max_tokens', 'invalid_request', 'different things'],
    [{ top_logprobs: 3 }, 'top_logprobs', 'invalid_request', 'logprobs'],
    [{ stream_options: { include_usage: true } }, 'stream_options', 'invalid_request', 'stream'],
    [{ tools: [{}] }, 'tools', 'unsupported_parameter', 'not supported'],
    [{ response_format: { type: 'json_object' } }, 'response_format', 'unsupported_parameter', 'not supported'],
    [{ lane: 'a.b' }, 'lane', 'invalid_request', 'letters'],
  ])('%j is refused', async (body, param, code, text) => {
    const error = await chatError(body)
    expect(error).toMatchObject({ status: 400, param, code, type: 'invalid_request_error' })
    expect(error.message).toContain(text)
  })

  it('that ask for nothing special are taken', async () => {
    const fine = {
      tools: [],
      tool_choice: 'none',
      response_format: { type: 'text' },
      modalities: ['text'],
      echo: false,
    }
    expect((await completion({ ...fine, suffix: '', best_of: 1, stream_options: null })).status).toBe(200)
  })

  it('of messages: developer is system, assistant may be empty beside tool calls', async () => {
    const messages = [
      { role: 'developer', content: 'd' },
      { role: 'assistant', content: null, tool_calls: [] },
      { role: 'tool', content: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }], tool_call_id: 'x' },
    ]
    expect((await post(app, '/v1/chat/completions', { model: 'bytes', messages })).status).toBe(200)
    expect(Buffer.from(front.submissions[0]!.prompt.slice(1)).toString()).toBe('system: d\nassistant: \ntool: ab\n')
  })
})

describe('for operators', () => {
  it('/ready says why not, with 503', async () => {
    front.notReady = 'no instance yet'
    const { status, body, headers } = await get('/ready')
    expect({ status, retry: headers.get('retry-after') }).toEqual({ status: 503, retry: '1' })
    expect(body.error.message).toContain('no instance yet')
  })

  it("/metrics counts, under our names and vLLM's", async () => {
    await completion({ max_tokens: 5 })
    await completion({ stream: true }).then((response) => response.text())
    const { body, headers } = await get('/metrics')
    expect(headers.get('content-type')).toContain('text/plain')
    for (
      const line of [
        'volley_requests_waiting 3',
        'vllm:num_requests_waiting 3',
        'vllm:kv_cache_usage_perc 0.25',
        'volley_generation_tokens_total{model_name="bytes"} 19',
        'vllm:request_success_total{model_name="bytes",finished_reason="length"} 1',
        'vllm:request_success_total{model_name="bytes",finished_reason="stop"} 1',
        'volley_time_to_first_token_seconds_count{model_name="bytes"} 2',
        'vllm:time_to_first_token_seconds_count{model_name="bytes"} 2',
        'vllm:time_per_output_token_seconds_count{model_name="bytes"} 17',
        'volley_http_responses_total{status="200"} 2',
      ]
    ) expect(body.split('\n')).toContain(line)
  })

  it('/openapi.json has every route and the fields of the bodies', async () => {
    const { body } = await get('/openapi.json')
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/v1/chat/completions', '/v1/models/{id}', '/metrics']),
    )
    const { ChatCompletionRequest, CompletionRequest } = body.components.schemas
    expect(ChatCompletionRequest.required).toEqual(['model', 'messages'])
    expect(ChatCompletionRequest.properties.temperature).toMatchObject({ type: 'number', minimum: 0, maximum: 2 })
    expect(ChatCompletionRequest.properties.messages.items.properties.role.enum).toContain('assistant')
    expect(CompletionRequest.properties.prompt.anyOf).toHaveLength(4)
  })

  it('/health answers to HEAD', async () => {
    expect((await get('/health', { method: 'HEAD' })).status).toBe(200)
  })

  it('/ says where to go', async () => {
    const { body } = await get('/')
    expect(body).toContain('/v1/chat/completions')
    expect(body).not.toMatch(/[{}]/)
  })
})
