/**
 * The bus within one process, for tests, the exhaustive search and the simulator: a client of a {@linkcode MemoryServer}.
 * Every operation takes a millisecond of the handed-in clock, and passes through a hook that may lose it, lose its
 * answer, or double it.
 * @module
 */
import type { Clock } from '../clock.ts'
import { VolleyError } from '../errors.ts'
import type { AppendOptions, Body, Bucket, BucketName, Bus, Delivery, Entry, Message, PutOptions, Subscription } from './bus.ts'
import { matches, type MemoryServer, type StoredHop, type Sub } from './memory-server.ts'
import { HOPS } from './topology.ts'

/** One operation of one client, as a fault hook sees it. */
export interface Operation {
  client: string
  kind: 'publish' | 'request' | 'append' | 'pull' | 'ack' | 'working' | 'purge' | 'get' | 'put' | 'delete'
  subject: string
}

/** What becomes of it: `lose` = never arrives; `loseReply` = applied, but the caller hears nothing; `double` = arrives twice. */
export type Fate = 'ok' | 'lose' | 'loseReply' | 'double'

export interface MemoryBusOptions {
  name?: string
  /** Asked before every operation. */
  onOperation?: (operation: Operation) => Fate
  /** The process's own clock, when it can be paused or killed; else the server's. */
  clock?: Clock
}

const LATENCY_MS = 1
const OP_TIMEOUT_MS = 500
const bytes = (data: Body): Uint8Array => (typeof data === 'string' ? new TextEncoder().encode(data) : data)
const parse = <T>(data: Uint8Array): T => JSON.parse(new TextDecoder().decode(data)) as T

export function memoryBus(server: MemoryServer, options: MemoryBusOptions = {}): Bus {
  const { name = 'client', onOperation = () => 'ok', clock = server.clock } = options
  const own = new Set<Sub>()
  const watches = new Set<() => void>()
  const reconnects = new Set<() => void>()
  let inbox = 0
  let closed = false

  /** On its way to the broker: goes on even when the sender has died meanwhile. */
  const travel = (): Promise<void> => new Promise((resolve) => server.clock.setTimer(LATENCY_MS, resolve))
  const later = <T>(ms: number, value: T): Promise<T> => new Promise((resolve) => clock.setTimer(ms, () => resolve(value)))
  const timeout = async (what: string, ms: number): Promise<never> => {
    await later(ms, undefined)
    throw new VolleyError('bus_timeout', `Cannot ${what}: no answer within ${ms} ms`)
  }

  /** A stored operation with an answer: applied at the server, or lost, as its fate says. */
  async function ask<T>(kind: Operation['kind'], subject: string, apply: () => T, timeoutMs = OP_TIMEOUT_MS): Promise<T> {
    const fate = onOperation({ client: name, kind, subject })
    const what = `${kind} ${subject}`
    await travel()
    if (closed || !server.up || fate === 'lose') return await timeout(what, timeoutMs)
    if (fate === 'double') apply()
    const result = apply()
    return fate === 'loseReply' ? await timeout(what, timeoutMs) : await later(LATENCY_MS, result)
  }

  function tell(kind: Operation['kind'], subject: string, apply: () => void): void {
    const fate = onOperation({ client: name, kind, subject })
    if (closed || fate === 'lose') return
    server.clock.setTimer(LATENCY_MS, () => {
      apply()
      if (fate === 'double') apply()
    })
  }

  function publish(subject: string, data: Body): void {
    tell('publish', subject, () => server.route(subject, bytes(data)))
  }

  function subscribe(subject: string, onMessage: (message: Message) => void, opts: { queue?: string } = {}): Subscription {
    const sub: Sub = {
      pattern: subject.split('.'),
      queue: opts.queue,
      deliver: (at, data, reply) =>
        void clock.setTimer(LATENCY_MS, () => {
          if (own.has(sub)) onMessage(messageOf(at, data, reply, publish))
        }),
    }
    own.add(sub)
    server.subs.add(sub)
    return {
      unsubscribe() {
        own.delete(sub)
        server.subs.delete(sub)
      },
    }
  }

  function request(subject: string, data: Body, { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal }) {
    return new Promise<Message>((resolve, reject) => {
      const reply = `_INBOX.${name}.${++inbox}`
      const settle = (use: () => void) => {
        sub.unsubscribe()
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
        use()
      }
      const onAbort = () => settle(() => reject(new VolleyError('cancelled', `Cannot request ${subject}: given up by the caller`)))
      const sub = subscribe(reply, (m) => settle(() => resolve(m)))
      const cancelTimer = clock.setTimer(timeoutMs, () =>
        settle(() => reject(new VolleyError('bus_timeout', `Cannot request ${subject}: no answer within ${timeoutMs} ms`))))
      if (signal?.aborted) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      tell('request', subject, () => {
        const answered = server.route(subject, bytes(data), reply)
        if (server.up && answered === 0) settle(() => reject(new VolleyError('no_responders', `Cannot request ${subject}: nobody listens`)))
      })
    })
  }

  async function pull(phase: string, { max, expiresMs, signal }: { max: number; expiresMs: number; signal?: AbortSignal }) {
    const fate = onOperation({ client: name, kind: 'pull', subject: phase })
    await travel()
    if (closed || fate === 'lose' || signal?.aborted) return await later(expiresMs, [])
    const hops = await new Promise<StoredHop[]>((resolve) => {
      const done = (got: StoredHop[]) => {
        withdraw()
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
        resolve(got)
      }
      const onAbort = () => done([])
      const cancelTimer = clock.setTimer(expiresMs, () => done([]))
      signal?.addEventListener('abort', onAbort, { once: true })
      let withdraw = () => {}
      withdraw = server.pull(phase, max, (got) => void Promise.resolve().then(() => done(got)))
    })
    const deliveries = hops.map(deliveryOf)
    return fate === 'loseReply' ? await later(expiresMs, []) : await later(LATENCY_MS, deliveries)
  }

  function bucket(bucketName: BucketName): Bucket {
    const entry = (key: string): Entry | undefined => {
      const found = server.get(bucketName, key)
      return found && { key, value: found.value, revision: found.revision, json: <T>() => parse<T>(found.value) }
    }
    const subject = (key: string) => `$KV.${bucketName}.${key}`
    return {
      get: (key) => ask('get', subject(key), () => entry(key)),
      put: (key, value, opts: PutOptions = {}) =>
        ask('put', subject(key), () => server.put(bucketName, key, bytes(value), opts), opts.timeoutMs),
      delete: (key) => ask('delete', subject(key), () => server.delete(bucketName, key)),
      keys: () => ask('get', subject('*'), () => [...(server.buckets.get(bucketName)?.keys() ?? [])].filter((k) => entry(k))),
      async watch(onChange) {
        const report = (key: string) => void clock.setTimer(LATENCY_MS, () => onChange(key, entry(key)))
        const stop = server.watch(bucketName, report)
        watches.add(stop)
        for (const key of server.buckets.get(bucketName)?.keys() ?? []) report(key)
        await later(2 * LATENCY_MS, undefined)
        return {
          unsubscribe() {
            stop()
            watches.delete(stop)
          },
        }
      },
    }
  }

  return {
    publish,
    subscribe,
    request,
    pull,
    bucket,
    append: (subject, data, opts: AppendOptions = {}) =>
      ask('append', subject, () => server.append(subject, bytes(data), opts), opts.timeoutMs),
    setUp: () => later(LATENCY_MS, undefined),
    ensurePhase: () => later(LATENCY_MS, undefined),
    ack: (ackSubject) => tell('ack', ackSubject, () => server.acknowledge(ackSubject, '+ACK')),
    working: (ackSubject) => tell('working', ackSubject, () => server.acknowledge(ackSubject, '+WPI')),
    purge: (filter) => ask('purge', filter, () => server.purge(filter)),
    history: (filter) =>
      ask('get', filter, () => server.events.filter((e) => matches(filter.split('.'), e.subject)).map((e) => ({ ...e }))),
    onReconnect(callback) {
      const wrapped = () => void clock.setTimer(LATENCY_MS, callback)
      server.reconnects.add(wrapped)
      reconnects.add(wrapped)
      return () => {
        server.reconnects.delete(wrapped)
        reconnects.delete(wrapped)
      }
    },
    close() {
      closed = true
      for (const sub of own) server.subs.delete(sub)
      own.clear()
      for (const stop of watches) stop()
      for (const callback of reconnects) server.reconnects.delete(callback)
      return Promise.resolve()
    },
  }
}

const deliveryOf = (hop: StoredHop): Delivery => ({
  subject: hop.subject,
  data: hop.data,
  seq: hop.seq,
  delivery: hop.deliveries,
  ackSubject: `$JS.ACK.${HOPS}.${hop.subject.split('.')[3]}.${hop.deliveries}.${hop.seq}`,
  json: <T>() => parse<T>(hop.data),
})

const messageOf = (subject: string, data: Uint8Array, reply: string | undefined, publish: Bus['publish']): Message => ({
  subject,
  data,
  reply,
  text: () => new TextDecoder().decode(data),
  json: <T>() => parse<T>(data),
  respond(body) {
    if (reply !== undefined) publish(reply, body)
  },
})
