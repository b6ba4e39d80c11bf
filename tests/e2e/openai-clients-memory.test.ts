import { beforeAll, describe, expect, it } from 'vitest'
import type { Hono } from 'hono'
import { createApp } from '../../actors/gateway/http/app.ts'
import { events, type Loose, post } from '../helpers/http.ts'
import { MemoryCluster } from '../helpers/memory-cluster.ts'
import { scriptedToken } from '../helpers/script-engine.ts'

let cluster: MemoryCluster
let app: Hono
beforeAll(async () => {
  cluster = new MemoryCluster()
  await cluster.start()
  app = createApp({ front: cluster.front, clock: cluster.clock })
})

/** Lets virtual time pass until a promise has settled. */
async function run<T>(promise: Promise<T>): Promise<T> {
  let settled = false
  const end = () => (settled = true)
  promise.then(end, end)
  await cluster.clock.runUntil(() => settled, 60_000)
  return promise
}
const ask = (more: object = {}) =>
  run(
    post(app, '/v1/completions', {
      model: 'script',
      prompt: [5, 6, 7],
      seed: 1,
      max_tokens: 5,
      return_token_ids: true,
      ...more,
    }),
  )
const record = async (id: string | null): Promise<Loose> =>
  (await run(Promise.resolve(app.request(`/v1/requests/${id}`)))).json()
const expected = (choice = 0) => Array.from({ length: 5 }, (_, i) => scriptedToken([5, 6, 7], 1, choice, i))

describe('HTTP over the whole system in memory', () => {
  it('answers with the tokens of the engine, whole and streamed, and the request is done', async () => {
    const response = await ask({ n: 2 })
    const { choices, usage }: Loose = await response.json()
    expect(choices.map((c: Loose) => c.token_ids)).toEqual([expected(0), expected(1)])
    expect(choices.map((c: Loose) => c.finish_reason)).toEqual(['length', 'length'])
    expect(usage).toEqual({ prompt_tokens: 3, completion_tokens: 10, total_tokens: 13 })
    const { state, history } = await record(response.headers.get('x-request-id'))
    expect(state).toBe('done')
    expect(history.map((h: Loose) => h.state)).toEqual(expect.arrayContaining(['prefill', 'decode', 'done']))

    const streamed = await run(ask({ stream: true }).then(events))
    expect(streamed.at(-1)).toBe('[DONE]')
    expect(streamed.slice(0, -1).flatMap((c) => c.choices[0].token_ids)).toEqual(expected())
  })

  it('tells the reader of a stream when somebody cancels the request', async () => {
    const response = await ask({ stream: true, max_tokens: 400 })
    const id = response.headers.get('x-request-id')
    const [all, deleted] = await run(
      Promise.all([events(response), app.request(`/v1/requests/${id}`, { method: 'DELETE' })]),
    )
    expect(deleted.status).toBe(200)
    expect(all.at(-1).error).toMatchObject({ code: 'cancelled' })
    expect((await record(id)).state).toBe('cancelled')
  })

  it('cancels the request when its reader goes away', async () => {
    const response = await ask({ stream: true, max_tokens: 400 })
    const reader = response.body!.getReader()
    await run(reader.read())
    await run(reader.cancel())
    const id = response.headers.get('x-request-id')
    await cluster.clock.runUntil(() => false, 100)
    expect((await record(id)).state).toBe('cancelled')
  })

  it('refuses a pipeline that nobody defined', async () => {
    const response = await ask({ pipeline: 'none' })
    expect([response.status, (await response.json() as Loose).error.code]).toEqual([404, 'pipeline_not_found'])
  })
})
