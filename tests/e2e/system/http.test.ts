import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { judge, malformedRequests, send } from '../../helpers/malformed.ts'
import { eventually, noSystem, nothingIsLeft, SOON_MS, startSystem, type System } from '../../helpers/system.ts'
import { endless as once, type Question } from '../../helpers/system-http.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)
/** Largest body the gateway takes unless told otherwise. */
const BODY_BYTES = 4 * 1024 * 1024
const messages = [{ role: 'user' as const, content: 'Tell me about a fox.' }]
const endless: Question = { ...once, return_token_ids: true }

describe.skipIf(noSystem !== undefined)('a running system', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ labels: 'prefill=1,decode=1' })
  }, 120_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
  })
  afterAll(() => system?.close())
  const openai = () => new OpenAI({ apiKey: 'none', baseURL: `${system.url}/v1`, maxRetries: 0 })
  const greedy = { temperature: 0, max_tokens: 20 }

  it('answers the openai client: a chat, streamed or not', async () => {
    const asked = { model: system.http.model, messages, ...greedy }
    const whole = await openai().chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 })
    const { message, logprobs, finish_reason: finish } = whole.choices[0]!
    expect(message.content!.length).toBeGreaterThan(0)
    expect(['stop', 'length']).toContain(finish)
    expect(logprobs!.content).toHaveLength(whole.usage!.completion_tokens)
    let text = ''
    let usage
    const stream = await openai().chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    })
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect([text, usage]).toEqual([message.content, whole.usage])
  })

  it('answers the openai client: completions, of text and of token ids', async () => {
    const whole = await openai().completions.create({
      model: system.http.model,
      prompt: 'The little fox',
      ...greedy,
      n: 2,
    })
    expect(whole.choices.map(({ text }) => text.length > 0)).toEqual([true, true])
    const stream = await openai().completions.create({
      model: system.http.model,
      prompt: 'The little fox',
      ...greedy,
      stream: true,
    })
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]!.text
    expect(text).toBe(whole.choices[0]!.text)
    const ids = await openai().completions.create({ model: system.http.model, prompt: [10, 20, 30], ...greedy })
    expect(ids.usage!.prompt_tokens).toBe(3)
    const names: string[] = []
    for await (const { id } of openai().models.list()) names.push(id)
    expect(names).toEqual([system.http.model])
  })

  it('answers the AI SDK', async () => {
    const model = createOpenAICompatible({ name: 'volley', baseURL: `${system.url}/v1` })(system.http.model)
    const { text, usage } = await generateText({ model, messages, temperature: 0, maxOutputTokens: 20, maxRetries: 0 })
    expect([text.length > 0, usage.outputTokens! > 0]).toEqual([true, true])
    const { textStream } = streamText({ model, messages, temperature: 0, maxOutputTokens: 20, maxRetries: 0 })
    let streamed = ''
    for await (const piece of textStream) streamed += piece
    expect(streamed).toBe(text)
  })

  it('cancels what nobody reads any more, and frees its memory within a second', async () => {
    for (const stream of [true, false]) {
      const away = new AbortController()
      const claim = system.watch.nextClaim('decode')
      const response = system.http.send({ ...endless, stream }, away.signal)
      response.catch(() => undefined)
      const { id } = await claim
      if (stream) await (await response).body!.getReader().read()
      away.abort()
      await eventually(async () => (await system.watch.request(id)).state === 'cancelled', 1_000)
      await nothingIsLeft(system, 1_000)
    }
  })

  it('gives 300 malformed requests a 4xx in the error shape, and answers a good one afterwards', async () => {
    const requests = malformedRequests({
      seed: 7,
      count: 300,
      model: system.http.model,
      tooManyTokens: 100_000,
      bodyBytes: BODY_BYTES,
    })
    const wrong: string[] = []
    for (let i = 0; i < requests.length; i += 10) {
      await Promise.all(
        requests.slice(i, i + 10).map(async (request) => {
          // Megabytes are still on their way when the answer is: over a connection that closes, it may be lost to a reset.
          const mayClose = request.mayClose || request.name.endsWith(' too long a body')
          const problem = judge({ ...request, mayClose }, await send(request, system.url, 20_000))
          if (problem !== undefined) wrong.push(`${request.name}: ${problem}`)
        }),
      )
    }
    expect(wrong).toEqual([])
    const { status } = await system.http.ask({ path: 'completions', prompt: 'The fox', max_tokens: 5 })
    expect(status).toBe(200)
    await nothingIsLeft(system, SOON_MS)
  }, 90_000)
})
