/**
 * The transfer plane of a process: offers served by every mechanism there is, and pulls by the nearest one that works.
 * @module
 */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Bus } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import { type Clock, realClock } from '../clock.ts'
import { isVolleyError, VolleyError } from '../errors.ts'
import { Buffers } from './buffers.ts'
import { pullChunks, tellOwner } from './chunk-client.ts'
import { serveChunks } from './chunk-server.ts'
import { brokenError, isRefusal } from './failure.ts'
import { announce, localOffers, PROCESS_KEY, pullMemory } from './memory.ts'
import { type Credentials, Offers } from './offers.ts'
import { TRANSFER_MODES } from './plane.ts'
import type { Pulled, PullOptions, Ticket, TicketAddresses, TransferMode, TransferPlane } from './plane.ts'
import { Slots } from './slots.ts'
import { pullSocket } from './socket-client.ts'
import { serveSockets } from './socket-server.ts'
import { hasUnixSockets, serveUnix } from './unix.ts'

export interface DirectPlaneOptions {
  /** Instance that offers, one token, and which life of it. */
  owner: string
  incarnation: string
  /** For `nats` transfers, best a connection of its own; and for the words `renew` and `complete`. */
  bus: Bus
  /**
   * What is served and used.
   *
   * @default {TRANSFER_MODES}
   */
  modes?: readonly TransferMode[]
  /** Where TCP listens. @default {'127.0.0.1'} */
  tcpListen?: string
  /** What tickets say instead, where others reach this host under another address. */
  tcpAdvertise?: string
  /** Pulls served at a time. @default {4} */
  concurrent?: number
  /** How long a peer may make no progress. @default {5000} */
  stallMs?: number
  /** Checked on what came by another way than memory. Left out where whoever uses the bytes checks them. */
  digestOf?: (bytes: Uint8Array) => string | Promise<string>
  /** @default {realClock} */
  clock?: Clock
}

/** Starts serving. Error: `port_taken` when it cannot listen. */
export async function directPlane(options: DirectPlaneOptions): Promise<TransferPlane> {
  const { owner, incarnation, bus, modes = TRANSFER_MODES, tcpListen = '127.0.0.1', clock = realClock } = options
  const { concurrent = 4, stallMs = 5_000, tcpAdvertise = tcpListen, digestOf } = options
  const offers = new Offers(clock, new Slots(concurrent))
  const buffers = new Buffers(clock)
  const life = new AbortController()
  const addresses: TicketAddresses = {}
  const stops: (() => void | Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    life.abort()
    await Promise.all(stops.map((end) => end()))
  }
  try {
    await listen()
  } catch (cause) {
    await stop()
    throw new VolleyError('port_taken', `The transfer plane cannot listen: ${(cause as Error).message}`, { cause })
  }

  async function listen(): Promise<void> {
    const subject = subjectOf(owner)
    stops.push(serveChunks(bus, subject, offers, clock, stallMs))
    if (modes.includes('nats')) addresses.nats = subject
    if (modes.includes('memory')) {
      stops.push(announce(lifeOf({ owner, incarnation }), offers))
      addresses.memory = PROCESS_KEY
    }
    if (modes.includes('unix') && hasUnixSockets) {
      const server = await serveUnix(offers, stallMs)
      stops.push(server.close)
      addresses.unix = server.path
    }
    if (modes.includes('tcp')) {
      const server = await serveSockets(offers, { host: tcpListen, port: 0 }, stallMs)
      stops.push(server.close)
      addresses.tcp = `${tcpAdvertise}:${server.port}`
    }
  }

  /** Brings the bytes one way. */
  async function fetch(mode: TransferMode, ticket: Ticket, credentials: Credentials, signal: AbortSignal) {
    if (mode === 'memory') return await pullMemory(lifeOf(ticket), credentials, signal)
    const destination = buffers.take(ticket.bytes)
    const pull = { credentials, destination, stallMs, signal }
    const digest = mode === 'nats'
      ? await pullChunks({ ...pull, bus, subject: ticket.addresses.nats ?? '' })
      : await pullSocket({ ...pull, to: mode === 'unix' ? { path: ticket.addresses.unix ?? '' } : tcpOf(ticket) })
    if (digestOf && (await digestOf(destination)) !== digest) {
      throw brokenError('the bytes that came have another digest')
    }
    return { bytes: destination, digest }
  }

  async function pull(
    ticket: Ticket,
    { attempt, timeoutMs, signal: given, modes: asked = modes }: PullOptions,
  ): Promise<Pulled> {
    const startedAt = clock.monotonic()
    const late = new AbortController()
    const cancelTimer = clock.setTimer(timeoutMs, () => late.abort())
    const signal = AbortSignal.any([late.signal, life.signal, ...(given ? [given] : [])])
    const credentials = { offer: ticket.offer, secret: ticket.secret, attempt }
    let failure = brokenError(`no way from here to ${ticket.owner}: asked for ${asked.join(', ')}`)
    try {
      for (const mode of asked) {
        if (!modes.includes(mode) || !isReachable(mode, ticket)) continue
        try {
          const { bytes, digest } = await fetch(mode, ticket, credentials, signal)
          const recycle = (): void => mode === 'memory' ? undefined : buffers.give(bytes)
          return { bytes, digest, mode, ms: clock.monotonic() - startedAt, recycle }
        } catch (error) {
          if (given?.aborted) throw new VolleyError('cancelled', 'The transfer was cancelled', { cause: given.reason })
          if (late.signal.aborted) throw brokenError(`it took longer than ${timeoutMs} ms`, error)
          if (life.signal.aborted) throw brokenError('this transfer plane is closed')
          if (!isVolleyError(error, 'transfer_failed') || isRefusal(error)) throw error
          failure = brokenError(`by ${mode}: ${error.message.replace('Cannot pull: ', '')}`, failure)
        }
      }
      throw failure
    } finally {
      cancelTimer()
    }
  }

  /** A word to the owner, who may be ourselves. */
  async function tell(op: 'renew' | 'complete', ticket: Ticket, attempt: number): Promise<boolean> {
    const credentials = { offer: ticket.offer, secret: ticket.secret, attempt }
    const here = offers.has(ticket.offer) ? offers : localOffers(lifeOf(ticket))
    return here ? here[op](credentials) : await tellOwner(bus, subjectOf(ticket.owner), { op, ...credentials })
  }

  return {
    offer(source, offer) {
      const { id: request, attempt } = offer
      const host = hostname()
      return {
        ...offers.make(source, offer),
        request,
        attempt,
        owner,
        incarnation,
        bytes: source.bytes,
        host,
        addresses,
      }
    },
    pull,
    renew: (ticket, attempt) => tell('renew', ticket, attempt),
    complete: (ticket, attempt) => tell('complete', ticket, attempt),
    release: (ticket) => offers.release(ticket.offer),
    held: () => offers.held(),
    async close() {
      offers.close()
      buffers.close()
      await stop()
    },
  }
}

const subjectOf = (owner: string): string => subjects.instanceOp(owner, 'transfer')

const lifeOf = ({ owner, incarnation }: Pick<Ticket, 'owner' | 'incarnation'>): string => `${owner}.${incarnation}`

/** `[HOST]:PORT` is understood for IPv6. */
function tcpOf({ addresses: { tcp = '' } }: Ticket): { host: string; port: number } {
  const colon = tcp.lastIndexOf(':')
  return { host: tcp.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(tcp.slice(colon + 1)) }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')

/** Whether a mechanism can work from here at all. */
function isReachable(mode: TransferMode, ticket: Ticket): boolean {
  const { addresses, host } = ticket
  if (mode === 'memory') return addresses.memory === PROCESS_KEY && localOffers(lifeOf(ticket)) !== undefined
  if (mode === 'unix') return addresses.unix !== undefined && existsSync(addresses.unix)
  if (mode === 'tcp') return addresses.tcp !== undefined && (host === hostname() || !isLoopback(tcpOf(ticket).host))
  return addresses.nats !== undefined
}
