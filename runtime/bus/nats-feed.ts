/**
 * Reading a stream in order: what is stored, then what comes. A feed that misses something says so and ends; whoever
 * uses it starts another. Needs no acks and leaves nothing on the server.
 * @module
 */
import { createInbox, type MsgHdrs, nanos, nuid } from '@nats-io/transport-node'
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream'
import type { Link } from './nats-link.ts'
import { parseAckSubject } from './nats-pull.ts'

/** The server says this often that it is there, when there is nothing to deliver. */
const HEARTBEAT_MS = 1_000
/** Nothing heard for so long: the feed is taken as broken. */
const SILENCE_MS = 3_500

export interface Stored {
  subject: string
  data: Uint8Array
  seq: number
  headers: MsgHdrs | undefined
}

export interface FeedOptions {
  stream: string
  filter: string
  /** Only the newest message of each subject, or all. */
  start: 'newest' | 'all'
  onMessage: (message: Stored) => void
  /** Once, when everything stored at the start was delivered. */
  onPresent: () => void
  /** Once, when messages may have been missed. The feed has ended. */
  onBroken: () => void
}

/** Starts a feed; the returned function ends it. Errors of the server's interface are thrown as they are. */
export async function openFeed(link: Link, options: FeedOptions): Promise<() => void> {
  const { nc, jsm, clock } = link
  const { stream, filter } = options
  const name = `volley_${nuid.next()}`
  let last = 0
  let over = false
  let present = false
  let stopWatchdog = (): void => undefined
  const undo: (() => void)[] = []

  function stop(): void {
    if (over) return
    over = true
    stopWatchdog()
    for (const step of undo) step()
    subscription.unsubscribe()
    // Best effort: an abandoned one goes by itself after the inactivity threshold.
    if (!link.closed) jsm.consumers.delete(stream, name).catch(() => undefined)
  }
  function broken(): void {
    if (over) return
    stop()
    options.onBroken()
  }
  function heard(): void {
    stopWatchdog()
    stopWatchdog = clock.setTimer(SILENCE_MS, broken)
  }
  function allPresent(): void {
    if (present || over) return
    present = true
    options.onPresent()
  }

  const subscription = nc.subscribe(createInbox(), {
    callback(error, message) {
      if (over) return
      if (error) return broken()
      heard()
      const headers = message.headers
      if (headers?.code === 100) {
        const stalled = headers.get('Nats-Consumer-Stalled')
        if (message.reply) message.respond()
        else if (stalled) nc.publish(stalled)
        if (!message.reply && Number(headers.get('Nats-Last-Consumer')) !== last) return broken()
        return message.reply ? undefined : allPresent()
      }
      if (headers && headers.code !== 0) return broken()
      const { seq, consumerSeq, waiting } = parseAckSubject(message.reply ?? '')
      if (consumerSeq !== last + 1) return broken()
      last = consumerSeq
      options.onMessage({ subject: message.subject, data: message.data, seq, headers })
      if (waiting === 0) allPresent()
    },
  })
  undo.push(link.onReconnect(broken), link.onClosed(stop))
  try {
    const info = await jsm.consumers.add(stream, {
      name,
      deliver_subject: subscription.getSubject(),
      deliver_policy: options.start === 'all' ? DeliverPolicy.All : DeliverPolicy.LastPerSubject,
      filter_subject: filter,
      ack_policy: AckPolicy.None,
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      flow_control: true,
      idle_heartbeat: nanos(HEARTBEAT_MS),
      inactive_threshold: nanos(10_000),
    })
    heard()
    if (info.num_pending === 0 && last === 0) allPresent()
  } catch (error) {
    stop()
    throw error
  }
  return stop
}
