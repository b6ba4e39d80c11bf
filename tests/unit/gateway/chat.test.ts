import { beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../actors/gateway/http/app.ts'
import { realClock } from '../../../runtime/clock.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import { BEGIN } from '../../helpers/byte-model.ts'
import { FakeFront } from '../../helpers/fake-front.ts'
import { events, type Loose, post } from '../../helpers/http.ts'

const PATH = '/v1/chat/completions'
const base = { model: 'bytes', messages: [{ role: 'user', content: 'Hi' }] }
let front: FakeFront
let app: ReturnType<typeof createApp>
beforeEach(() => {
  front = new FakeFront()
  app = createApp({ front })
})
const ask = async (more: object = {}): Promise<Loose> => (await post(app, PATH, { ...base, ...more })).json()

describe('POST /v1/chat/completions', () => {
  it('answers in the shape of chat.completion', async () => {
    const response = await post(app, PATH, base)
    expect(response.status).toBe(200)
    const body: Loose = await response.json()
    const id = response.headers.get('x-request-id')
    expect(id).toMatch(/^req-/)
    expect(body).toEqual({
      id: `chatcmpl-${id}`,
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'bytes',
      choices: [{
        index: 0,
        message: { role: 'assistant', content: 'Hello, world!', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      }],
      usage: { prompt_tokens: 10, completion_tokens: 14, total_tokens: 24 },
    })
  })

  it('ends with length at max_tokens, by either name', async () => {
    for (const field of ['max_tokens', 'max_completion_tokens']) {
      const { choices, usage } = await ask({ [field]: 5 })
      expect(choices[0]).toMatchObject({ message: { content: 'Hello' }, finish_reason: 'length' })
      expect(usage.completion_tokens).toBe(5)
    }
  })

  it('gives the choices in order of index, each with its own text', async () => {
    front.script = { says: ['one', 'two', 'three'] }
    const { choices, usage } = await ask({ n: 3 })
    expect(choices.map((c: Loose) => [c.index, c.message.content])).toEqual([[0, 'one'], [1, 'two'], [2, 'three']])
    expect(usage.completion_tokens).toBe(4 + 4 + 6)
  })

  it('ends before a stop string that comes in pieces, and shows nothing of it', async () => {
    const { choices } = await ask({ stop: ['wor', 'zzz'] })
    expect(choices[0]).toMatchObject({ message: { content: 'Hello, ' }, finish_reason: 'stop' })
    expect(front.submissions[0]!.stop).toEqual(['wor', 'zzz'])
  })

  it('shows what looked like the beginning of a stop string once it is none', async () => {
    const { choices } = await ask({ stop: '!!' })
    expect(choices[0].message.content).toBe('Hello, world!')
  })

  it('gives logprobs with alternatives and bytes', async () => {
    const { choices } = await ask({ logprobs: true, top_logprobs: 2, max_tokens: 2 })
    expect(choices[0].logprobs.content).toEqual([
      {
        token: 'H',
        logprob: -0.5,
        bytes: [72],
        top_logprobs: [{ token: 'H', logprob: -0.5, bytes: [72] }, { token: 'I', logprob: -1.5, bytes: [73] }],
      },
      expect.objectContaining({ token: 'e' }),
    ])
  })

  it('gives token ids when asked', async () => {
    const body = await ask({ return_token_ids: true, max_tokens: 2 })
    expect(body.prompt_token_ids).toEqual([BEGIN, ...Buffer.from('user: Hi\n')])
    expect(body.choices[0].token_ids).toEqual([...Buffer.from('He')])
  })

  it('names unknown fields and takes harmless ones in silence', async () => {
    const response = await post(app, PATH, {
      ...base,
      user: 'me',
      metadata: { a: 'b' },
      no_such_field: 1,
      'odd\nname': 2,
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('x-volley-ignored')).toBe('no_such_field, odd%0aname')
  })

  it('takes null for absent', async () => {
    const nulls = {
      temperature: null,
      stop: null,
      seed: null,
      tools: null,
      response_format: null,
      logit_bias: null,
      n: null,
    }
    expect((await post(app, PATH, { ...base, ...nulls })).status).toBe(200)
  })

  it('passes sampling on with defaults filled in and the seed as 32 bits', async () => {
    await ask({ seed: -1, top_k: -1, logit_bias: { '65': -100 }, temperature: 0.5, min_p: 0.1 })
    expect(front.submissions[0]).toMatchObject({
      lane: 'default',
      n: 1,
      stop: [],
      sampling: {
        seed: 0xffffffff,
        topK: 0,
        logitBias: [[65, -100]],
        temperature: 0.5,
        topP: 1,
        minP: 0.1,
        maxTokens: 1024,
        presencePenalty: 0,
        frequencyPenalty: 0,
        repetitionPenalty: 1,
        stopTokens: [256],
        ignoreEos: false,
      },
    })
  })

  it('draws a new seed for every request without one', async () => {
    await ask()
    await ask()
    expect(front.submissions[0]!.sampling.seed).not.toBe(front.submissions[1]!.sampling.seed)
  })

  it('goes on past the end token with ignore_eos, and stops at stop_token_ids all the same', async () => {
    const past = await ask({ ignore_eos: true, max_tokens: 20 })
    expect(past.choices[0]).toMatchObject({ message: { content: 'Hello, world!Hello,' }, finish_reason: 'length' })
    const { choices } = await ask({ ignore_eos: true, stop_token_ids: [44] })
    expect(choices[0]).toMatchObject({ message: { content: 'Hello' }, finish_reason: 'stop' })
  })

  it('tells a failure with the status of its code', async () => {
    front.script = { failAfter: { steps: 2, error: new VolleyError('engine_failed', 'Boom') } }
    const response = await post(app, PATH, base)
    expect(response.status).toBe(500)
    expect(response.headers.get('x-request-id')).toBe([...front.details.keys()][0])
    expect(await response.json()).toEqual({
      error: { message: 'Boom', type: 'server_error', code: 'engine_failed', param: null },
    })
  })

  it('tells a full system with 429 and Retry-After, for streams too', async () => {
    front.script = { refuse: new VolleyError('overloaded', 'Full') }
    for (const stream of [false, true]) {
      const response = await post(app, PATH, { ...base, stream })
      expect(response.status).toBe(429)
      expect(response.headers.get('retry-after')).toBe('1')
    }
  })

  it('keeps what unexpected errors say to itself', async () => {
    front.script = { refuse: new Error('ENOENT /secret') }
    const response = await post(app, PATH, base)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
  })

  it('gives up at the deadline although the front does not', async () => {
    const hasty = createApp({
      front,
      clock: { ...realClock, setTimer: (ms, callback) => realClock.setTimer(ms / 1e5, callback) },
    })
    front.script = { hangAfter: 1, deaf: true }
    const response = await post(hasty, PATH, base)
    expect(response.status).toBe(504)
    expect(front.cancelled).toHaveLength(1)
  })
})

describe('POST /v1/chat/completions with stream', () => {
  it('sends role, text, finish and [DONE], with one id', async () => {
    front.script = { says: ['Hé'], perStep: 1 }
    const response = await post(app, PATH, { ...base, stream: true })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const all = await events(response)
    expect(all.at(-1)).toBe('[DONE]')
    const chunks = all.slice(0, -1)
    expect(new Set(chunks.map((c) => c.id))).toEqual(new Set([`chatcmpl-${response.headers.get('x-request-id')}`]))
    expect(new Set(chunks.map((c) => `${c.object} ${c.model}`))).toEqual(new Set(['chat.completion.chunk bytes']))
    // é is two tokens: nothing is shown after the first of them.
    expect(chunks.map((c) => c.choices[0])).toEqual([
      { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
      { index: 0, delta: { content: 'H' }, logprobs: null, finish_reason: null },
      { index: 0, delta: { content: 'é' }, logprobs: null, finish_reason: null },
      { index: 0, delta: {}, logprobs: null, finish_reason: 'stop' },
    ])
    expect(chunks.every((c) => !('usage' in c))).toBe(true)
  })

  it('streams the same text as it answers whole', async () => {
    front.script = { says: ['Grüße, 世界 — 👋🏽!', 'b'], perStep: 3 }
    for (const more of [{}, { n: 2 }, { stop: '世' }, { max_tokens: 3 }, { stop: ['👋', '—'], n: 2 }]) {
      const { choices } = await ask(more)
      const all = await events(await post(app, PATH, { ...base, ...more, stream: true }))
      for (const { index, message, finish_reason } of choices) {
        const mine = all.slice(0, -1).map((c) => c.choices[0]).filter((c) => c.index === index)
        expect(mine.map((c) => c.delta.content ?? '').join('')).toBe(message.content)
        expect(mine.at(-1).finish_reason).toBe(finish_reason)
      }
    }
  })

  it('sends usage last when asked, and null before', async () => {
    const all = await events(await post(app, PATH, { ...base, stream: true, stream_options: { include_usage: true } }))
    const chunks = all.slice(0, -1)
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 10, completion_tokens: 14, total_tokens: 24 },
    })
    expect(chunks.slice(0, -1).every((c) => c.usage === null)).toBe(true)
  })

  it('sends token ids and logprobs of every token', async () => {
    front.script = { says: ['é!'] }
    const all = await events(await post(app, PATH, { ...base, stream: true, logprobs: true, return_token_ids: true }))
    const chunks = all.slice(0, -1)
    expect(chunks[0].prompt_token_ids).toHaveLength(10)
    expect(chunks.flatMap((c) => c.choices[0].token_ids ?? [])).toEqual([...Buffer.from('é!'), 256])
    expect(chunks.flatMap((c) => c.choices[0].logprobs?.content ?? [])).toHaveLength(4)
  })

  it('tells a failure under way in the stream, which then ends without [DONE]', async () => {
    front.script = { failAfter: { steps: 2, error: new VolleyError('kv_exhausted', 'No room') } }
    const response = await post(app, PATH, { ...base, stream: true })
    expect(response.status).toBe(200)
    const all = await events(response)
    expect(all.at(-1)).toEqual({
      error: { message: 'No room', type: 'server_error', code: 'kv_exhausted', param: null },
    })
  })

  it('sends comments while it waits', async () => {
    const patient = createApp({ front, limits: { heartbeatMs: 5 } })
    front.script = { stepMs: 40, says: ['a'] }
    const text = await (await post(patient, PATH, { ...base, stream: true })).text()
    expect(text).toContain(': waiting\n\n')
    expect(text).toContain('[DONE]')
  })

  it('cancels when its reader goes away', async () => {
    front.script = { hangAfter: 1 }
    const response = await post(app, PATH, { ...base, stream: true })
    const reader = response.body!.getReader()
    await reader.read()
    await reader.cancel()
    expect(front.cancelled).toEqual([response.headers.get('x-request-id')])
  })

  it('asks the front for no more than its reader takes', async () => {
    front.script = { says: ['x'.repeat(1000)] }
    const reader = (await post(app, PATH, { ...base, stream: true })).body!.getReader()
    await reader.read()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(front.running).toBe(1)
    await reader.cancel()
  })
})
