/**
 * The messaging port. Two adapters sit the same exam (tests/exams/bus.ts): `natsBus()` on a real server, `memoryBus()`
 * in one process with a virtual clock and injected faults. What the hop's protocol asks of a server is all here.
 * @module
 */

export type Body = string | Uint8Array

export interface Message {
  readonly subject: string
  readonly data: Uint8Array
  /** Where an answer goes; undefined when none is wanted. */
  readonly reply: string | undefined
  text(): string
  /** Parsed JSON body. */
  json<T>(): T
  respond(data: Body): void
}

export interface Subscription {
  unsubscribe(): void
}

/** A message of a work queue, under this consumer's lease until acked or `ackWaitMs` has passed without a beat. */
export interface Delivery {
  readonly subject: string
  readonly data: Uint8Array
  /** Stream sequence: names the stored message. */
  readonly seq: number
  /** 1 on first delivery. Repeats after a broker kill: never use it for fencing. */
  readonly delivery: number
  /** Whoever publishes to it acks or beats: the lease can move to another process with it. */
  readonly ackSubject: string
  json<T>(): T
}

export interface AppendOptions {
  /** Deterministic id: a repeat within the duplicate window is stored once and answers `duplicate: true`. */
  msgId?: string
  /** The message disappears after this long. Whole seconds on a real server: rounded up. */
  ttlMs?: number
  /** Store only when the subject's last sequence is this (0 = none yet); else `bus_conflict`. */
  expectLastSeq?: number
  /** Hold it back and publish its body to `target` at wall-clock `atMs`. */
  schedule?: { atMs: number; target: string }
  timeoutMs?: number
}

export interface Entry {
  key: string
  value: Uint8Array
  /** Names this write; the next write expects it. */
  revision: number
  json<T>(): T
}

export interface PutOptions {
  /** The revision read, 0 = the key must not exist; left out = last writer wins. Conflict: `bus_conflict`. */
  expect?: number
  /** The key ages out (a watcher sees it go) unless written again. Whole seconds on a real server. */
  ttlMs?: number
  timeoutMs?: number
}

/** A bucket of keys. */
export interface Bucket {
  get(key: string): Promise<Entry | undefined>
  /** Errors: `bus_conflict`, `bus_timeout` (may have been applied: read to know). */
  put(key: string, value: Body, options?: PutOptions): Promise<number>
  delete(key: string): Promise<void>
  keys(): Promise<string[]>
  /** All values now, then every change; `entry` undefined = deleted or aged out. Resolves when the present values were delivered. */
  watch(onChange: (key: string, entry: Entry | undefined) => void): Promise<Subscription>
}

export interface Bus {
  /** Fire and forget; lost when nobody listens or the connection is down. */
  publish(subject: string, data: Body): void
  /** Errors: `no_responders`, `bus_timeout`, `cancelled`. */
  request(subject: string, data: Body, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Message>
  subscribe(subject: string, onMessage: (message: Message) => void, options?: { queue?: string }): Subscription
  /** Stores a message in the stream that owns the subject, and waits for the server's word. Errors: `bus_timeout`, `bus_conflict`. */
  append(subject: string, data: Body, options?: AppendOptions): Promise<{ seq: number; duplicate: boolean }>
  /** Makes the streams and buckets of `topology.ts` if they are not there. */
  setUp(): Promise<void>
  /** Makes sure hops of this phase are handed out. */
  ensurePhase(phase: string): Promise<void>
  /** Up to `max` hops of a phase, as soon as there is one; empty after `expiresMs`, and at once on abort. */
  pull(phase: string, options: { max: number; expiresMs: number; signal?: AbortSignal }): Promise<Delivery[]>
  ack(ackSubject: string): void
  /** Renews the lease. */
  working(ackSubject: string): void
  /** Removes stored hops and timers by subject filter. */
  purge(subjectFilter: string): Promise<void>
  /** Stored messages under a filter, oldest first: of the events stream, or of a bucket's key (`$KV.<bucket>.<key>`). */
  history(subjectFilter: string): Promise<{ subject: string; seq: number; data: Uint8Array }[]>
  bucket(name: BucketName): Bucket
  /** After the connection was lost and is back; subscriptions stand again. */
  onReconnect(callback: () => void): () => void
  close(): Promise<void>
}

export type BucketName =
  | 'volley_requests'
  | 'volley_instances'
  | 'volley_labels'
  | 'volley_models'
  | 'volley_inputs'
  | 'volley_gateways'
  | 'volley_schedulers'
  | 'volley_predictions'
