import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../../actors/gateway/http/app.ts'
import { listen, type Listening } from '../../actors/gateway/http/listen.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { FakeFront } from '../helpers/fake-front.ts'
import { send } from '../helpers/malformed.ts'

const KEY = 'sk-test'
const messages = [{ role: 'user' as const, content: 'Hi' }]
let front: FakeFront
let server: Listening
beforeEach(async () => {
  front = new FakeFront()
  server = await listen({ app: createApp({ front, apiKeys: ['other', KEY] }), port: 0, host: '127.0.0.1' })
})
afterEach(() => server.close({ force: true }))
const openai = (apiKey = KEY) => new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0 })

/** Waits until the front has heard of the cancel; the test's own time-out is the deadline. */
async function cancelSeen() {
  while (front.cancelled.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  return front.cancelled
}

describe('the openai client, unmodified', () => {
  it('completes a chat', async () => {
    const answer = await openai().chat.completions.create({ model: 'bytes', messages, logprobs: true, top_logprobs: 1 })
    expect(answer.choices[0]).toMatchObject({
      message: { role: 'assistant', content: 'Hello, world!' },
      finish_reason: 'stop',
    })
    expect(answer.choices[0]!.logprobs!.content).toHaveLength(14)
    expect(answer.usage).toEqual({ prompt_tokens: 10, completion_tokens: 14, total_tokens: 24 })
    expect(answer._request_id).toBe(front.details.keys().next().value)
  })

  it('streams a chat with usage', async () => {
    const stream = await openai().chat.completions.create({
      model: 'bytes',
      messages,
      stream: true,
      n: 2,
      stream_options: { include_usage: true },
    })
    const texts = ['', '']
    let usage
    for await (const chunk of stream) {
      for (const { index, delta } of chunk.choices) texts[index] += delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect(texts).toEqual(['Hello, world!', 'Hello, world!'])
    expect(usage).toMatchObject({ completion_tokens: 28 })
  })

  it('gathers a stream with its own helper', async () => {
    const stream = openai().chat.completions.stream({ model: 'bytes', messages })
    expect((await stream.finalMessage()).content).toBe('Hello, world!')
  })

  it('completes a text and token ids, whole and streamed', async () => {
    const whole = await openai().completions.create({ model: 'bytes', prompt: 'Hi', max_tokens: 5, logprobs: 2 })
    expect(whole.choices[0]).toMatchObject({
      text: 'Hello',
      finish_reason: 'length',
      logprobs: { text_offset: [0, 1, 2, 3, 4] },
    })
    const stream = await openai().completions.create({ model: 'bytes', prompt: [72, 105], stream: true })
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]!.text
    expect(text).toBe('Hello, world!')
    expect(front.submissions[1]!.prompt).toEqual([72, 105])
  })

  it('lists models', async () => {
    const ids: string[] = []
    for await (const model of openai().models.list()) ids.push(model.id)
    expect(ids).toEqual(['bytes'])
    expect((await openai().models.retrieve('bytes')).object).toBe('model')
  })

  it('finds its own error classes', async () => {
    const chat = (body: object, key?: string) =>
      openai(key).chat.completions.create({ model: 'bytes', messages, ...body })
    await expect(chat({ temperature: 9 })).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await expect(chat({ temperature: 9 })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_request',
      param: 'temperature',
    })
    await expect(chat({}, 'wrong')).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
    await expect(chat({ model: 'none' })).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    front.script = { refuse: new VolleyError('overloaded', 'Full') }
    await expect(chat({})).rejects.toBeInstanceOf(OpenAI.RateLimitError)
    front.script = { refuse: new VolleyError('no_instance', 'Nobody') }
    await expect(chat({})).rejects.toMatchObject({ status: 503, code: 'no_instance' })
    front.script = { failAfter: { steps: 1, error: new VolleyError('engine_failed', 'Boom') } }
    await expect(chat({})).rejects.toBeInstanceOf(OpenAI.InternalServerError)
  })

  it('throws when a stream fails under way', async () => {
    front.script = { failAfter: { steps: 3, error: new VolleyError('engine_failed', 'Boom') } }
    const stream = await openai().chat.completions.create({ model: 'bytes', messages, stream: true })
    const read = async () => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toMatchObject({ code: 'engine_failed' })
  })

  it('tries again after 429, as Retry-After says', async () => {
    front.script = { refuse: new VolleyError('overloaded', 'Full') }
    setTimeout(() => (front.script = {}), 200)
    const answer = await openai().chat.completions.create({ model: 'bytes', messages }, { maxRetries: 3 })
    expect(answer.choices[0]!.message.content).toBe('Hello, world!')
  })
})

describe('a client that goes away', () => {
  it('cancels a stream that it has begun to read', async () => {
    front.script = { hangAfter: 3 }
    const stream = await openai().chat.completions.create({ model: 'bytes', messages, stream: true })
    for await (const chunk of stream) if (chunk.choices[0]!.delta.content === 'l') break
    expect(await cancelSeen()).toHaveLength(1)
    expect(front.cancelCalls).toBe(1)
  })

  it('cancels a stream while tokens flow', async () => {
    front.script = { says: ['x'.repeat(1000)], stepMs: 2 }
    const abort = new AbortController()
    const stream = await openai().chat.completions.create({ model: 'bytes', messages, stream: true }, {
      signal: abort.signal,
    })
    for await (const _ of stream) abort.abort()
    expect(await cancelSeen()).toHaveLength(1)
    expect(front.cancelCalls).toBe(1)
  })

  it('cancels an answer that is not streamed', async () => {
    front.script = { hangAfter: 2 }
    const abort = new AbortController()
    const answer = openai().chat.completions.create({ model: 'bytes', messages }, { signal: abort.signal })
    while (front.submissions.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    abort.abort()
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
    expect(await cancelSeen()).toHaveLength(1)
  })

  it('leaves a request alone that has ended', async () => {
    const stream = await openai().chat.completions.create({ model: 'bytes', messages, stream: true })
    for await (const _ of stream);
    await openai().chat.completions.create({ model: 'bytes', messages })
    await server.close({ force: true })
    expect(front.cancelled).toEqual([])
  })
})

describe('a server that closes', () => {
  it('lets open answers end, and takes no new requests', async () => {
    front.script = { stepMs: 20 }
    const stream = await openai().chat.completions.create({ model: 'bytes', messages, stream: true })
    const closed = server.close()
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]!.delta.content ?? ''
    expect(text).toBe('Hello, world!')
    await closed
    await expect(openai().models.list()).rejects.toBeInstanceOf(OpenAI.APIConnectionError)
  })

  it('answers 408 to headers that do not arrive', async () => {
    const hasty = await listen({ app: createApp({ front }), port: 0, host: '127.0.0.1', arrivalMs: 100 })
    const bytes = Buffer.from('POST /v1/completions HTTP/1.1\r\nhost: x\r\n')
    const answer = await send({ name: 'slow headers', bytes, then: 'wait', mayClose: false }, hasty.url, 20_000)
    expect(String(answer)).toMatch(/^HTTP\/1.1 408 .*"code":"request_timeout"/s)
    await hasty.close({ force: true })
  })

  it('names a port that is taken', async () => {
    const again = listen({ app: createApp({ front }), port: server.port, host: '127.0.0.1' })
    await expect(again).rejects.toMatchObject({ code: 'port_taken' })
  })
})

describe('the AI SDK, unmodified', () => {
  const model = () => createOpenAICompatible({ name: 'volley', baseURL: `${server.url}/v1`, apiKey: KEY })('bytes')

  it('generates text', async () => {
    const { text, finishReason, usage } = await generateText({ model: model(), prompt: 'Hi', maxRetries: 0 })
    expect({ text, finishReason }).toEqual({ text: 'Hello, world!', finishReason: 'stop' })
    expect(usage.outputTokens).toBe(14)
  })

  it('streams text', async () => {
    const { textStream, finishReason } = streamText({ model: model(), messages, maxOutputTokens: 5 })
    const pieces: string[] = []
    for await (const piece of textStream) pieces.push(piece)
    expect(pieces.join('')).toBe('Hello')
    expect(pieces.length).toBeGreaterThan(1)
    expect(await finishReason).toBe('length')
  })

  it('meets errors with their text', async () => {
    const asked = generateText({ model: model(), prompt: 'Hi', temperature: 7, maxRetries: 0 })
    await expect(asked).rejects.toThrow(/temperature/)
  })
})
