/**
 * One connection to NATS that comes back by itself: opening it with a deadline, and telling those who wait on it that
 * it was lost and stands again, or is closed for good. Knows nothing of streams.
 * @module
 */
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node'
import { jetstream, type JetStreamClient, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import type { Clock } from '../clock.ts'
import { VolleyError } from '../errors.ts'
import { closedError } from './nats-errors.ts'

/** How long one attempt to connect may take. */
const CONNECT_TIMEOUT_MS = 2_000
/** Deadline of one call to the JetStream interface. */
export const API_TIMEOUT_MS = 2_000

/** What the parts of the adapter share. */
export interface Link {
  readonly nc: NatsConnection
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly clock: Clock
  /** Calls back after the connection was lost, is back, and the server has every subscription again. */
  onReconnect(callback: () => void): () => void
  /** Calls back once when the connection is closed for good; at once when it is already. */
  onClosed(callback: () => void): () => void
  readonly closed: boolean
}

export interface LinkOptions {
  servers: string | string[]
  name: string
  clock: Clock
  signal?: AbortSignal | undefined
}

/** Connects, or fails within seconds: `bus_unreachable`, `cancelled`. Afterwards it reconnects for ever. */
export async function openLink({ servers, name, clock, signal }: LinkOptions): Promise<Link> {
  const nc = await dial([servers].flat(), name, signal)
  const reconnected = new Set<() => void>()
  const ended = new Set<() => void>()
  let closed = false
  void nc.closed().then(() => {
    closed = true
    for (const callback of [...ended]) callback()
  })
  void (async () => {
    for await (const { type } of nc.status()) {
      if (type !== 'reconnect') continue
      // The flush is answered after the server has read our subscriptions; a failed one means: lost again.
      nc.flush().then(
        () => [...reconnected].forEach((callback) => callback()),
        () => undefined,
      )
    }
  })()
  return {
    nc,
    js: jetstream(nc, { timeout: API_TIMEOUT_MS }),
    jsm: await jetstreamManager(nc, { timeout: API_TIMEOUT_MS, checkAPI: false }),
    clock,
    get closed() {
      return closed
    },
    onReconnect: (callback) => listen(reconnected, callback),
    onClosed(callback) {
      if (!closed) return listen(ended, callback)
      callback()
      return () => undefined
    },
  }
}

function listen(listeners: Set<() => void>, callback: () => void): () => void {
  const own = (): void => callback()
  listeners.add(own)
  return () => listeners.delete(own)
}

async function dial(servers: string[], name: string, signal: AbortSignal | undefined): Promise<NatsConnection> {
  if (signal?.aborted) throw cancelled(servers)
  const attempt = connect({
    ...login(servers),
    name,
    timeout: CONNECT_TIMEOUT_MS,
    waitOnFirstConnect: false,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 50,
    pingInterval: 5_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  }).catch((cause: unknown) => {
    throw new VolleyError('bus_unreachable', `Cannot reach NATS at ${shown(servers)}: ${reason(cause)}`, {
      cause,
      remedy: `start one with "nats-server -js", or name the right one with --nats nats://HOST:PORT`,
    })
  })
  if (!signal) return attempt
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => {
    attempt.then((nc) => nc.close(), () => undefined)
    reject(cancelled(servers))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([attempt, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The client does not read user, password or token from an address: done here, for people who write it that way. */
function login(servers: string[]): Pick<ConnectionOptions, 'servers' | 'user' | 'pass' | 'token' | 'tls'> {
  const urls = servers.map((server) => new URL(server.includes('://') ? server : `nats://${server}`))
  const { username, password } = urls.find((url) => url.username !== '') ?? { username: '', password: '' }
  return {
    servers: urls.map((url) => url.host),
    ...(username && password ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {}),
    ...(username && !password ? { token: decodeURIComponent(username) } : {}),
    ...(urls.some((url) => url.protocol === 'tls:') ? { tls: {} } : {}),
  }
}

const shown = (servers: string[]): string => servers.map((server) => server.replace(/\/\/[^@/]*@/, '//')).join(', ')

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).toLowerCase()

const cancelled = (servers: string[]): VolleyError =>
  new VolleyError('cancelled', `Connecting to ${shown(servers)} was cancelled`)

/**
 * Runs `work`, but gives up at once on abort (`cancelled`) or when the connection is closed for good
 * (`bus_unreachable`); what was under way is left to its own deadline.
 */
export async function whileOpen<T>(
  link: Link,
  what: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw new VolleyError('cancelled', `Cancelled: ${what}`, { cause: signal.reason })
  if (link.closed) throw closedError(what)
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(new VolleyError('cancelled', `Cancelled: ${what}`, { cause: signal?.reason }))
  signal?.addEventListener('abort', onAbort, { once: true })
  const off = link.onClosed(() => reject(closedError(what)))
  const running = work()
  running.catch(() => undefined)
  try {
    return await Promise.race([running, promise])
  } finally {
    off()
    signal?.removeEventListener('abort', onAbort)
  }
}
