import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PictureDoor } from '../../actors/gateway/pictures/door.ts'
import { listen, type Listening } from '../../actors/gateway/http/listen.ts'
import { testServer, type TestServer } from '../helpers/download-server.ts'
import type { FakeFront } from '../helpers/fake-front.ts'
import { goldenPictures } from '../helpers/hostile-pictures.ts'
import { lacks } from '../helpers/lacks.ts'
import { dataUrlOf, visionApp, visionModels } from '../helpers/vision-front.ts'

const blind = lacks(visionModels.length === 0, 'no model that sees is here')
const good = goldenPictures()
const png = good.get('PNG of 8-bit RGB')!.file
const jpeg = good.get('JPEG, 4:2:0')!.file
let front: FakeFront
let server: Listening
let site: TestServer
let model: string
let tileTokens: number
/** Where the site is, to those who know its fake name. */
let at: string

beforeEach(async () => {
  site = await testServer((_, response) => response.end(jpeg))
  const { port } = new URL(site.url)
  at = `http://pictures.test:${port}`
  const door = new PictureDoor({
    hosts: [`pictures.test:${port}`],
    remote: { resolve: async () => ['127.0.0.1'], mayConnect: (address) => address === '127.0.0.1' },
  })
  const made = visionApp(visionModels[0]!, { door })
  front = made.front
  front.script = { says: [[...made.text.encode('A picture.'), made.text.endTokens[0]!]] }
  model = made.text.name
  tileTokens = made.side.settings.tileTokens
  server = await listen({ app: made.app, port: 0, host: '127.0.0.1' })
})
afterEach(async () => {
  await server.close({ force: true })
  await site.close()
})
const files = () => front.submissions[0]!.pictures.map(({ file }) => Buffer.from(file))

describe.skipIf(blind)('the openai client, unmodified, sends pictures', () => {
  const openai = () => new OpenAI({ apiKey: 'any', baseURL: `${server.url}/v1`, maxRetries: 0 })
  const messages = (): OpenAI.ChatCompletionMessageParam[] => [{
    role: 'user',
    content: [
      { type: 'text', text: 'What is in these?' },
      { type: 'image_url', image_url: { url: dataUrlOf(png), detail: 'low' } },
      { type: 'image_url', image_url: { url: `${at}/a.jpg` } },
    ],
  }]

  it('whole', async () => {
    const answer = await openai().chat.completions.create({ model, messages: messages() })
    expect(answer.choices[0]!.message.content).toBe('A picture.')
    expect(files()).toEqual([png, jpeg])
    expect(front.submissions[0]!.pictures.map(({ whole }) => whole)).toEqual([true, false])
    const tiles = front.submissions[0]!.pictures.flatMap(({ starts }) => starts).length
    expect(answer.usage).toMatchObject({
      prompt_tokens: front.submissions[0]!.prompt.length,
      prompt_tokens_details: { image_tokens: tiles * tileTokens },
    })
  })

  it('streamed, with usage', async () => {
    const stream = await openai().chat.completions.create({ model, messages: messages(), stream: true, stream_options: { include_usage: true } })
    let text = ''
    let usage
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect(text).toBe('A picture.')
    expect(usage!.prompt_tokens).toBe(front.submissions[0]!.prompt.length)
  })

  it('and meets its own error classes', async () => {
    const ask = (url: string) =>
      openai().chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] })
    await expect(ask('https://elsewhere.test/a.png')).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await expect(ask('https://elsewhere.test/a.png')).rejects.toMatchObject({ status: 400, code: 'image_url_refused', param: 'messages[0].content[0]' })
    await expect(ask(dataUrlOf(Buffer.from('<svg/>')))).rejects.toMatchObject({ status: 415, code: 'image_unsupported' })
    await expect(ask(dataUrlOf(png.subarray(0, -1)))).rejects.toMatchObject({ status: 400, code: 'image_invalid' })
  })
})

describe.skipIf(blind)('the AI SDK, unmodified, sends pictures', () => {
  const volley = () => createOpenAICompatible({ name: 'volley', baseURL: `${server.url}/v1`, apiKey: 'any', includeUsage: true })(model)

  it('as bytes, as data: URL and as base64', async () => {
    const { text, usage } = await generateText({
      model: volley(),
      maxRetries: 0,
      messages: [{
        role: 'user',
        content: [
          { type: 'text', text: 'What is in these?' },
          { type: 'image', image: new Uint8Array(png) },
          { type: 'image', image: dataUrlOf(jpeg, 'image/jpeg') },
          { type: 'file', mediaType: 'image/png', data: png.toString('base64') },
        ],
      }],
    })
    expect(text).toBe('A picture.')
    expect(files()).toEqual([png, jpeg, png])
    expect(usage.inputTokens).toBe(front.submissions[0]!.prompt.length)
  })

  it('streamed', async () => {
    const { textStream } = streamText({
      model: volley(),
      messages: [{ role: 'user', content: [{ type: 'image', image: new Uint8Array(jpeg), mediaType: 'image/jpeg' }, { type: 'text', text: 'a' }] }],
    })
    let text = ''
    for await (const piece of textStream) text += piece
    expect(text).toBe('A picture.')
    expect(files()).toEqual([jpeg])
  })

  it('and meets errors with their text', async () => {
    const asked = generateText({
      model: volley(),
      maxRetries: 0,
      messages: [{ role: 'user', content: [{ type: 'image', image: new Uint8Array(png.subarray(0, 20)), mediaType: 'image/png' }] }],
    })
    await expect(asked).rejects.toThrow(/not a sound PNG file/)
  })
})
