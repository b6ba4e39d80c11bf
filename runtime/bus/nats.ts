/**
 * The messaging port on a real nats-server: core NATS for what may be lost, JetStream for what may not. Knows
 * subjects and streams, nothing of requests.
 * @module
 */
import process from 'node:process'
import type { Msg } from '@nats-io/transport-node'
import { type Clock, realClock, sleep } from '../clock.ts'
import { VolleyError } from '../errors.ts'
import type { Body, Bus, Message } from './bus.ts'
import { requireApiLevel } from './capabilities.ts'
import { natsBucket, ttlHeader } from './nats-bucket.ts'
import { fromJetStream, fromRequest } from './nats-errors.ts'
import { readHistory } from './nats-history.ts'
import { type Link, openLink, whileOpen } from './nats-link.ts'
import { pull } from './nats-pull.ts'
import { makeConsumer, makeStreams } from './nats-streams.ts'
import { HOPS } from './topology.ts'

/** Short, so that a caller who repeats the same message id loses little time with a server that fell silent. */
const APPEND_TIMEOUT_MS = 1_000
/** A server that has just come up may need a moment for JetStream. */
const READY_TRIES = 20
const READY_PAUSE_MS = 150
/** Leaving must not take long, even from a server that does not answer. */
const CLOSE_MS = 1_000

export interface NatsBusOptions {
  /** `nats://HOST:PORT`, or several; `nats://USER:PASSWORD@HOST` and `tls://` are understood. */
  servers: string | string[]
  /** Shown by `nats account report connections`. */
  name: string
  /** Gives up connecting. */
  signal?: AbortSignal
  /**
   * What a subscriber throws, and what the server says about a subscription (denied).
   *
   * @default a warning of the process
   */
  onError?: (error: unknown) => void
  /** @default {realClock} */
  clock?: Clock
}

/** Connects, or fails within seconds. Errors: `bus_unreachable`, `server_too_old`, `cancelled`. */
export async function natsBus(options: NatsBusOptions): Promise<Bus> {
  const { servers, name, signal, clock = realClock, onError = warn } = options
  const link = await openLink({ servers, name, clock, signal })
  try {
    await checkServer(link, signal)
  } catch (error) {
    await link.nc.close()
    throw error
  }
  return busOn(link, onError)
}

async function checkServer(link: Link, signal: AbortSignal | undefined): Promise<void> {
  const { nc, jsm, clock } = link
  for (let attempt = 1;; attempt++) {
    try {
      const account = await whileOpen(link, 'asking for JetStream', signal, () => jsm.getAccountInfo())
      return requireApiLevel(account.api.level, nc.info?.version ?? 'of unknown version')
    } catch (cause) {
      const error = fromJetStream(cause, 'asking for JetStream')
      if (error.code !== 'bus_timeout') throw error
      if (attempt === READY_TRIES) {
        throw new VolleyError('bus_unreachable', `NATS at ${nc.getServer()} has no JetStream`, {
          cause,
          remedy: 'start nats-server with -js',
        })
      }
    }
    await sleep(clock, READY_PAUSE_MS, signal)
  }
}

function busOn(link: Link, onError: (error: unknown) => void): Bus {
  const { nc, js, jsm, clock } = link
  const ensurePhase = (phase: string): Promise<void> => makeConsumer(link, phase)
  return {
    publish: (subject, data) => send(link, subject, data),
    async request(subject, data, { timeoutMs, signal }) {
      const timeout = Math.max(1, Math.ceil(timeoutMs))
      try {
        return toMessage(
          link,
          await whileOpen(link, `request ${subject}`, signal, () => nc.request(subject, data, { timeout })),
        )
      } catch (error) {
        throw fromRequest(error, `request ${subject}`)
      }
    },
    subscribe(subject, onMessage, options = {}) {
      const subscription = nc.subscribe(subject, {
        ...options,
        callback(error, message) {
          if (error) return onError(fromRequest(error, `subscription ${subject}`))
          // A throw inside the client's reader would end the connection without a word.
          try {
            onMessage(toMessage(link, message))
          } catch (thrown) {
            onError(thrown)
          }
        },
      })
      return { unsubscribe: () => subscription.unsubscribe() }
    },
    async append(subject, data, { msgId, ttlMs, expectLastSeq, schedule, timeoutMs = APPEND_TIMEOUT_MS } = {}) {
      const options = {
        timeout: timeoutMs,
        ...(msgId === undefined ? {} : { msgID: msgId }),
        ...(ttlMs === undefined ? {} : { ttl: ttlHeader(ttlMs) }),
        ...(expectLastSeq === undefined ? {} : { expect: { lastSubjectSequence: expectLastSeq } }),
        ...(schedule === undefined
          ? {}
          : { schedule: { specification: { at: new Date(schedule.atMs) }, target: schedule.target } }),
      }
      try {
        const { seq, duplicate } = await whileOpen(
          link,
          `append ${subject}`,
          undefined,
          () => js.publish(subject, data, options),
        )
        return { seq, duplicate }
      } catch (error) {
        throw fromJetStream(error, `append ${subject}`)
      }
    },
    setUp: () => makeStreams(link),
    ensurePhase,
    pull: (phase, options) => pull(link, phase, options, () => ensurePhase(phase)),
    ack: (ackSubject) => send(link, ackSubject, '+ACK'),
    working: (ackSubject) => send(link, ackSubject, '+WPI'),
    async purge(subjectFilter) {
      try {
        await whileOpen(
          link,
          `purge ${subjectFilter}`,
          undefined,
          () => jsm.streams.purge(HOPS, { filter: subjectFilter }),
        )
      } catch (error) {
        throw fromJetStream(error, `purge ${subjectFilter}`)
      }
    },
    history: (subjectFilter) => readHistory(link, subjectFilter),
    bucket: (name) => natsBucket(link, name),
    onReconnect: (callback) => link.onReconnect(callback),
    async close() {
      if (link.closed) return
      const late = new Promise<void>((resolve) => link.onClosed(clock.setTimer(CLOSE_MS, resolve)))
      await Promise.race([nc.drain().catch(() => undefined), late])
      await nc.close()
    },
  }
}

const warn = (error: unknown): void => process.emitWarning(error instanceof Error ? error : String(error))

/** What is sent into a closed connection is lost, as it is into a broken one. Error: `body_too_large`. */
function send({ nc, closed }: Link, subject: string, data: Body): void {
  if (closed || nc.isDraining()) return
  try {
    nc.publish(subject, data)
  } catch (error) {
    throw fromRequest(error, `message to ${subject}`)
  }
}

function toMessage(link: Link, message: Msg): Message {
  const { subject, data, reply } = message
  return {
    subject,
    data,
    reply: reply === '' ? undefined : reply,
    text: () => message.string(),
    json: <T>() => message.json<T>(),
    respond: (body) => {
      if (reply) send(link, reply, body)
    },
  }
}
