/**
 * The HTTP side of the gateway as a value: OpenAI's API over a Front. It opens no socket; `listen.ts` does.
 * @module
 */
import { type Context, Hono } from 'hono'
import type { BaseLogger } from 'pino'
import { type Clock, realClock } from '../../../runtime/clock.ts'
import { isVolleyError, toVolleyError, VolleyError } from '../../../runtime/errors.ts'
import { newId } from '../../../runtime/ids.ts'
import type { Front } from '../front.ts'
import { PictureDoor } from '../pictures/door.ts'
import { requireKey } from './auth.ts'
import { errorResponse } from './errors.ts'
import { defaultLimits, type HttpLimits } from './limits.ts'
import { HttpMetrics } from './metrics.ts'
import { type Route, shownPath } from './route.ts'
import { routeTable } from './routes.ts'

export type Log = Pick<BaseLogger, 'debug' | 'error'>

export interface AppOptions {
  front: Front
  /** Who may ask; none = everybody. @default {[]} */
  apiKeys?: readonly string[]
  /** Instead of the defaults of limits.ts. */
  limits?: Partial<HttpLimits>
  /** Where pictures come in. @default {data: URLs only} */
  door?: PictureDoor
  clock?: Clock
  log?: Log
}

/** Asked by probes, which hold no key. */
const OPEN_PATHS = new Set(['/health', '/ready'])

/** OpenAI's API, inspection, health and metrics, over a Front. Every error has OpenAI's shape. */
export function createApp({ front, apiKeys = [], limits: given = {}, clock = realClock, log, door = new PictureDoor({ clock }) }: AppOptions): Hono {
  const limits = { ...defaultLimits, ...given }
  const metrics = new HttpMetrics(clock, () => front.stats())
  const onError = (error: unknown, requestId: string) => logError(log, error, requestId)
  const routes = routeTable({ front, limits, clock, metrics, door, onError })

  const app = new Hono()
  app.onError((error) => {
    const requestId = newId('err')
    onError(error, requestId)
    return errorResponse(error, {
      'x-request-id': requestId,
      ...(error instanceof MethodError ? { allow: error.allow } : {}),
    })
  })
  app.use(async function observe(c, next) {
    const startMs = clock.monotonic()
    await next()
    metrics.answered(c.res.status)
    log?.debug(
      { method: c.req.method, path: c.req.path, status: c.res.status, ms: clock.monotonic() - startMs },
      'answered',
    )
  })
  app.use(requireKey(apiKeys, OPEN_PATHS))
  for (const { method, path, handle } of routes) app.on(method, path, handle)
  for (const path of new Set(routes.map((route) => route.path))) app.all(path, (c) => refuseMethod(c, path, routes))
  app.notFound((c) => {
    const known = [...new Set(routes.map(({ path }) => path))].filter((path) => path.startsWith('/v1/'))
    throw new VolleyError('unsupported_endpoint', `There is no ${c.req.path} here`, {
      remedy: `use one of: ${known.map(shownPath).join(', ')}`,
    })
  })
  return app
}

class MethodError extends VolleyError {
  readonly allow: string

  constructor(message: string, allow: string) {
    super('method_not_allowed', message, { remedy: `use ${allow}` })
    this.allow = allow
  }
}

function refuseMethod(c: Context, path: string, routes: readonly Route[]): never {
  const methods = routes.filter((route) => route.path === path).map(({ method }) => method as string)
  const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
  throw new MethodError(`${c.req.path} does not answer to ${c.req.method}`, allow)
}

/** The caller's mistakes are no news; ours are. */
function logError(log: Log | undefined, thrown: unknown, requestId: string): void {
  const error = toVolleyError(thrown)
  // Refusals on purpose are no faults: the caller's, and those of a system that is starting, full or leaving.
  const { status } = error.kind
  const onPurpose = isVolleyError(thrown) && (status < 500 || status === 503)
  if (onPurpose) log?.debug({ requestId, code: error.code }, error.message)
  else log?.error({ requestId, code: error.code, err: thrown }, error.message)
}
