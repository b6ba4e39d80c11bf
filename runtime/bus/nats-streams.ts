/**
 * The streams, buckets and consumers of `topology.ts` as JetStream's configurations, made idempotently: several
 * processes may do it at once, and settings an operator added (replicas, placement, limits) are left alone.
 * @module
 */
import { nanos } from '@nats-io/transport-node'
import { AckPolicy, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import type { ConsumerConfig, StreamConfig, StreamInfo } from '@nats-io/jetstream'
import type { BucketName } from './bus.ts'
import { missingSettings, requireSettings } from './capabilities.ts'
import { fromJetStream, isNameInUse, isStreamMissing } from './nats-errors.ts'
import type { Link } from './nats-link.ts'
import { subjects } from './subjects.ts'
import { ACK_WAIT_MS, BUCKETS, DEAD, DUPLICATE_WINDOW_MS, EVENTS, EVENTS_AGE_MS, HOPS } from './topology.ts'

/** Dead letters are for people, who do not look at once. */
const DEAD_AGE_MS = 7 * 86_400_000
/** How long the note that a key is gone stays: longer than any watcher is expected to be away. */
export const MARKER_TTL_MS = 10_000

type Wanted = Partial<StreamConfig> & { name: string }

const STREAMS: Wanted[] = [
  {
    name: HOPS,
    description: 'hops of running requests, waiting or under lease; and their timers',
    subjects: ['volley.v1.hop.>', 'volley.v1.timer.>'],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    allow_direct: true,
    allow_msg_ttl: true,
    allow_msg_schedules: true,
  },
  {
    name: EVENTS,
    description: `transitions of every request and decisions about it, kept ${EVENTS_AGE_MS / 60_000} minutes`,
    subjects: [subjects.allEvents, subjects.allDecisions],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    max_age: nanos(EVENTS_AGE_MS),
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    allow_direct: true,
  },
  {
    name: DEAD,
    description: 'hops given up: taken again and again with no result, or ended by hand; kept 7 days',
    subjects: [
      subjects.allDead,
      ...['MAX_DELIVERIES', 'MSG_TERMINATED'].map((kind) => `$JS.EVENT.ADVISORY.CONSUMER.${kind}.${HOPS}.>`),
    ],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    max_age: nanos(DEAD_AGE_MS),
    allow_direct: true,
  },
]

/** Name of the stream behind a bucket: fixed by NATS, so that `nats kv` finds it. */
export const streamOfBucket = (name: BucketName): string => `KV_${name}`

function bucketStream(name: BucketName): Wanted {
  const { description, history, ttl } = BUCKETS[name]
  return {
    name: streamOfBucket(name),
    description,
    subjects: [`$KV.${name}.>`],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: history,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    ...(ttl ? { allow_msg_ttl: true, subject_delete_marker_ttl: nanos(MARKER_TTL_MS) } : {}),
  }
}

/** Makes every stream and bucket. Errors: `server_too_old`, `bus_timeout`. */
export async function makeStreams(link: Link): Promise<void> {
  const names = Object.keys(BUCKETS) as BucketName[]
  await Promise.all([...STREAMS, ...names.map(bucketStream)].map((wanted) => makeStream(link, wanted)))
}

async function makeStream({ jsm }: Link, wanted: Wanted): Promise<void> {
  const what = `stream ${wanted.name}`
  try {
    const there = await jsm.streams.info(wanted.name).catch(unlessMissing)
    const made = there ?? (await jsm.streams.add(wanted).catch(unlessInUse))
    // Made by another process just now, or by another version of Volley earlier: brought to what is wanted.
    const info = made && missingSettings(wanted, made.config).length === 0
      ? made
      : await jsm.streams.update(wanted.name, wanted)
    requireSettings(what, wanted, info.config)
  } catch (error) {
    throw fromJetStream(error, what)
  }
}

function unlessMissing(error: unknown): StreamInfo | undefined {
  if (isStreamMissing(error)) return undefined
  throw error
}

function unlessInUse(error: unknown): StreamInfo | undefined {
  if (isNameInUse(error)) return undefined
  throw error
}

/**
 * The pool of a phase as a durable consumer, named like the phase, so that `nats consumer report` reads as the list of
 * pools. A hop is handed out again for ever: giving up is the holder's decision, by record.
 */
export async function makeConsumer({ jsm }: Link, phase: string): Promise<void> {
  const wanted: Partial<ConsumerConfig> = {
    durable_name: phase,
    description: `hops that ask for ${phase}`,
    filter_subject: subjects.hopsOfPhase(phase),
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ACK_WAIT_MS),
    max_deliver: -1,
    max_ack_pending: -1,
  }
  try {
    const info = await jsm.consumers.add(HOPS, wanted)
    requireSettings(`consumer ${phase}`, wanted, info.config)
  } catch (error) {
    throw fromJetStream(error, `consumer ${phase}`)
  }
}
