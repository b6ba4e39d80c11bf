import { beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../actors/gateway/http/app.ts'
import { BEGIN, byteModel } from '../../helpers/byte-model.ts'
import { FakeFront } from '../../helpers/fake-front.ts'
import { events, type Loose, post } from '../../helpers/http.ts'

const PATH = '/v1/completions'
const base = { model: 'bytes', prompt: 'Hi' }
let front: FakeFront
let app: ReturnType<typeof createApp>
beforeEach(() => {
  front = new FakeFront()
  app = createApp({ front })
})
const ask = async (more: object = {}): Promise<Loose> => (await post(app, PATH, { ...base, ...more })).json()

describe('POST /v1/completions', () => {
  it('answers in the shape of text_completion', async () => {
    const body = await ask({ max_tokens: 5 })
    expect(body).toEqual({
      id: expect.stringMatching(/^cmpl-req-/),
      object: 'text_completion',
      created: expect.any(Number),
      model: 'bytes',
      choices: [{ index: 0, text: 'Hello', logprobs: null, finish_reason: 'length' }],
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    })
  })

  it('takes a text, token ids, or a list of one of these', async () => {
    const prompts = ['Hi', [72, 105], ['Hi'], [[72, 105]]]
    for (const prompt of prompts) await ask({ prompt })
    expect(front.submissions.map(({ prompt }) => prompt)).toEqual([[BEGIN, 72, 105], [72, 105], [BEGIN, 72, 105], [
      72,
      105,
    ]])
  })

  it('refuses several prompts, and an empty one', async () => {
    expect(await ask({ prompt: ['a', 'b'] })).toMatchObject({
      error: { code: 'unsupported_parameter', param: 'prompt' },
    })
    expect(await ask({ prompt: [] })).toMatchObject({ error: { code: 'invalid_request', param: 'prompt' } })
  })

  it('gives token ids as vLLM does: in each choice', async () => {
    const { choices } = await ask({ return_token_ids: true, max_tokens: 2, n: 2 })
    expect(choices).toMatchObject(
      [0, 1].map((index) => ({ index, token_ids: [72, 101], prompt_token_ids: [BEGIN, 72, 105] })),
    )
    const chunks =
      (await events(await post(app, PATH, { ...base, return_token_ids: true, max_tokens: 2, stream: true })))
        .slice(0, -1).map((c) => c.choices[0])
    expect(chunks.map((c) => [c.token_ids, c.prompt_token_ids])).toEqual([[[72], [BEGIN, 72, 105]], [[101], undefined]])
  })

  it('gives logprobs as parallel lists, with offsets that go on over a stream', async () => {
    const { choices: [{ logprobs }] } = await ask({ logprobs: 1, max_tokens: 3 })
    expect(logprobs).toEqual({
      tokens: ['H', 'e', 'l'],
      token_logprobs: [-0.5, -0.5, -0.5],
      top_logprobs: [{ H: -0.5 }, { e: -0.5 }, { l: -0.5 }],
      text_offset: [0, 1, 2],
    })
    const chunks = (await events(await post(app, PATH, { ...base, logprobs: 1, max_tokens: 3, stream: true }))).slice(
      0,
      -1,
    )
    expect(chunks.flatMap((c) => c.choices[0].logprobs.text_offset)).toEqual([0, 1, 2])
  })

  it('sends a number for a logprob that JSON cannot carry', async () => {
    front.script = { logprob: -Infinity }
    expect((await ask({ logprobs: 0, max_tokens: 1 })).choices[0].logprobs.token_logprobs).toEqual([-9999])
  })

  it('streams the same text, and its finish with the last of it', async () => {
    const all = await events(await post(app, PATH, { ...base, stream: true }))
    expect(all.at(-1)).toBe('[DONE]')
    const choices = all.slice(0, -1).map((c) => c.choices[0])
    expect(choices.map((c) => c.text).join('')).toBe('Hello, world!')
    expect(choices.map((c) => c.finish_reason).filter(Boolean)).toEqual(['stop'])
    expect(new Set(all.slice(0, -1).map((c) => c.object))).toEqual(new Set(['text_completion']))
  })

  it('holds prompt and max_tokens against the context', async () => {
    expect((await ask({ max_tokens: 2046 })).error.message).toContain('2048')
    expect(await ask({ max_tokens: 2046 })).toMatchObject({
      error: { code: 'context_length_exceeded', param: 'max_tokens' },
    })
    expect(await ask({ prompt: 'x'.repeat(3000) })).toMatchObject({
      error: { code: 'context_length_exceeded', param: 'prompt' },
    })
    expect(await ask({ prompt: new Array(2048).fill(65) })).toMatchObject({
      error: {
        message: expect.stringContaining('needs 2049: 2048 of prompt and at least 1 to generate'),
        param: 'prompt',
      },
    })
    expect((await ask({ max_tokens: 2045, stop: 'o' })).choices[0].text).toBe('Hell')
  })

  it('serves token ids only where a model has no tokenizer', async () => {
    app = createApp({ front: new FakeFront(byteModel({ name: 'bare', hasTokenizer: false })) })
    const bare = { model: 'bare', return_token_ids: true, max_tokens: 2, logprobs: 0 }
    const { choices: [choice] } = await ask({ ...bare, prompt: [1, 2] })
    expect(choice).toMatchObject({
      text: '',
      token_ids: [72, 101],
      logprobs: { tokens: ['token_id:72', 'token_id:101'] },
    })
    expect(await ask({ ...bare, prompt: 'text' })).toMatchObject({ error: { code: 'tokenizer_missing' } })
    expect(await ask({ ...bare, prompt: [1], stop: 'x' })).toMatchObject({
      error: { code: 'tokenizer_missing', param: 'stop' },
    })
  })
})
