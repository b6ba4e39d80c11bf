/**
 * Every route there is, as a table: what the app serves, what a 404 names and what `/openapi.json` lists.
 * @module
 */
import type { Context } from 'hono'
import { VolleyError } from '../../../runtime/errors.ts'
import { isToken } from '../../../runtime/ids.ts'
import type { Front, ServedModel } from '../front.ts'
import { ByteBudget } from '../pictures/budget.ts'
import type { PictureDoor } from '../pictures/door.ts'
import { readJsonObject } from './body.ts'
import { generate, type GenerateOptions } from './generate.ts'
import { chatJob, completionJob, modelOf, type Prepare } from './jobs.ts'
import { openApi } from './openapi.ts'
import { frontPage } from './page.ts'
import type { Route } from './route.ts'

/** All routes, in the order in which they are matched. */
export function routeTable(options: GenerateOptions & { door: PictureDoor }): Route[] {
  const { front, limits, clock, metrics, door } = options
  // The longest body and the pictures in it have room, if nothing else.
  const budget = new ByteBudget(Math.max(limits.heldBytes, 2 * limits.pictureBodyBytes))
  const generating = (prepare: Prepare, maxBytes: () => number) => async (c: Context) => {
    const { signal } = c.req.raw
    let startMs = 0
    const hold = budget.hold()
    const body = { clock, timeoutMs: limits.bodyTimeoutMs, maxBytes: maxBytes(), hold }
    try {
      // The body is in no variable here: nothing is to keep it while the answer is made.
      const job = await readJsonObject(c.req.raw, body).then((raw) => {
        startMs = clock.monotonic()
        return prepare(raw, { signal, hold })
      })
      return await generate(job, { startMs, hold, signal }, options)
    } catch (error) {
      hold.release()
      throw error
    }
  }
  const sees = () => front.models().some(({ pictures }) => pictures !== undefined)
  const document = () => openApi(routes, limits)
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/v1/chat/completions',
      summary: 'Answer a conversation',
      handle: generating(chatJob(front, limits, door), () => (sees() ? limits.pictureBodyBytes : limits.bodyBytes)),
    },
    {
      method: 'POST',
      path: '/v1/completions',
      summary: 'Continue a text',
      handle: generating(completionJob(front, limits), () => limits.bodyBytes),
    },
    {
      method: 'GET',
      path: '/v1/models',
      summary: 'Models served',
      handle: (c) => c.json({ object: 'list', data: front.models().map(modelCard) }),
    },
    {
      method: 'GET',
      path: '/v1/models/:id{.+}',
      summary: 'One model',
      handle: (c) => c.json(modelCard(modelOf(front, c.req.param('id')!))),
    },
    ...requestRoutes(front),
    { method: 'GET', path: '/health', summary: 'Whether the process lives', handle: (c) => c.json({ status: 'ok' }) },
    { method: 'GET', path: '/ready', summary: 'Whether requests can be answered', handle: (c) => ready(c, front) },
    {
      method: 'GET',
      path: '/metrics',
      summary: 'Numbers for Prometheus',
      handle: async () => new Response(await metrics.text(), { headers: { 'content-type': metrics.contentType } }),
    },
    { method: 'GET', path: '/openapi.json', summary: 'This list, for machines', handle: (c) => c.json(document()) },
    { method: 'GET', path: '/', summary: 'What this is', handle: (c) => c.text(frontPage(front.models(), routes)) },
  ]
  return routes
}

function requestRoutes(front: Front): Route[] {
  const none = (id: string) => new VolleyError('request_not_found', `There is no request "${id}", or it ended long ago`)
  // No request is named by anything but a token, and what is behind need not cope with more.
  const idOf = (c: Context) => {
    const id = c.req.param('id')!
    if (isToken(id)) return id
    throw none(id)
  }
  return [
    {
      method: 'GET',
      path: '/v1/requests',
      summary: 'Requests known now',
      handle: async (c) => c.json({ object: 'list', data: (await front.requests(c.req.raw.signal)).map(withSeconds) }),
    },
    {
      method: 'GET',
      path: '/v1/requests/:id',
      summary: 'State, context and history of a request',
      handle: async (c) => {
        const found = await front.request(idOf(c), c.req.raw.signal)
        if (found) return c.json(withSeconds(found))
        throw none(idOf(c))
      },
    },
    {
      method: 'DELETE',
      path: '/v1/requests/:id',
      summary: 'Cancel a request',
      handle: async (c) => {
        if (await front.cancel(idOf(c), c.req.raw.signal)) {
          return c.json({ id: idOf(c), object: 'request', cancelled: true })
        }
        throw none(idOf(c))
      },
    },
    {
      method: 'GET',
      path: '/v1/requests/:id/stream',
      summary: 'Join the stream of a request (not supported yet)',
      handle: () => {
        throw new VolleyError('unsupported_parameter', 'Joining the stream of a request is not supported yet', {
          remedy: 'send the request with "stream": true and read its answer',
        })
      },
    },
  ]
}

const withSeconds = <T extends { createdMs: number }>({ createdMs, ...rest }: T) => ({
  object: 'request',
  created: Math.floor(createdMs / 1000),
  ...rest,
})

const modelCard = ({ text, pictures, createdMs }: ServedModel) => ({
  id: text.name,
  object: 'model',
  created: Math.floor(createdMs / 1000),
  owned_by: 'volley',
  max_model_len: text.contextLength,
  input_modalities: pictures ? ['text', 'image'] : ['text'],
})

function ready(c: Context, front: Front): Response {
  const { notReady, instances } = front.stats()
  if (notReady === undefined) return c.json({ status: 'ready', instances })
  throw new VolleyError('no_instance', `Not ready: ${notReady}`)
}
