import { expect, test } from 'vitest'
import { createApp } from '../../../actors/gateway/http/app.ts'
import { listen } from '../../../actors/gateway/http/listen.ts'
import { FakeFront } from '../../helpers/fake-front.ts'

test('keeps idle connections longer than proxies do, and says so', async () => {
  const server = await listen({ app: createApp({ front: new FakeFront() }), port: 0, host: '127.0.0.1' })
  try {
    const response = await fetch(`${server.url}/health`)
    await response.arrayBuffer()
    const [, seconds] = /timeout=(\d+)/.exec(response.headers.get('keep-alive') ?? '') ?? []
    expect(Number(seconds)).toBeGreaterThan(60)
  } finally {
    await server.close({ force: true })
  }
})
