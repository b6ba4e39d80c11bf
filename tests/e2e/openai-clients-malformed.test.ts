import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApp } from '../../actors/gateway/http/app.ts'
import { listen, type Listening } from '../../actors/gateway/http/listen.ts'
import { FakeFront } from '../helpers/fake-front.ts'
import { judge, malformedRequests, send } from '../helpers/malformed.ts'

const LIMITS = { bodyBytes: 256 * 1024, bodyTimeoutMs: 200 }
let server: Listening
beforeAll(async () => {
  server = await listen({ app: createApp({ front: new FakeFront(), limits: LIMITS }), port: 0, host: '127.0.0.1' })
})
afterAll(() => server.close({ force: true }))

it('300 malformed requests get 4xx in the error shape, and a good one is answered afterwards', async () => {
  const requests = malformedRequests({
    seed: 20261125,
    count: 300,
    model: 'bytes',
    tooManyTokens: 100_000,
    bodyBytes: LIMITS.bodyBytes,
    stalled: true,
  })
  const wrong: string[] = []
  for (let i = 0; i < requests.length; i += 10) {
    await Promise.all(
      requests.slice(i, i + 10).map(async (request) => {
        const problem = judge(request, await send(request, server.url, 10_000))
        if (problem !== undefined) wrong.push(`${request.name}: ${problem}`)
      }),
    )
  }
  expect(wrong).toEqual([])

  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'bytes', prompt: 'Hello' }),
  })
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ choices: [{ text: 'Hello, world!' }] })
}, 60_000)
