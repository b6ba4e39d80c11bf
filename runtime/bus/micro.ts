/**
 * Service discovery as NATS's own tools understand it (ADR-32): PING, INFO and STATS on `$SRV.>`. Works on any bus;
 * knows nothing of what the service does: its endpoints are answered elsewhere.
 * @module
 */
import { VolleyError } from '../errors.ts'
import { isToken, newId } from '../ids.ts'
import type { Json } from '../json.ts'
import type { Bus, Message } from './bus.ts'

/** What an endpoint has done since the start. */
export interface EndpointCounts {
  requests: number
  errors: number
  /** Summed over all requests. */
  processingMs: number
  lastError?: string
}

/** One thing that can be asked of a service. */
export interface MicroEndpoint {
  name: string
  subject: string
  /** Live numbers, shown by `nats service info` and `stats`. */
  data?: () => Json
  counts?: () => EndpointCounts
}

export interface MicroOptions {
  /** One token, e.g. `instance`: what `nats service ls` lists. */
  name: string
  /** Semantic version. */
  version: string
  /** The only free text in `nats service ls`: role and model belong here. */
  description: string
  metadata?: Record<string, string>
  endpoints: MicroEndpoint[]
  /**
   * Names this process among those of the same service: one token.
   *
   * @default a random one
   */
  id?: string
}

/** A service that is listed until it is stopped. */
export interface MicroService {
  readonly id: string
  stop(): void
}

const NANOS_PER_MS = 1_000_000

/** Lists a service. Errors: `internal` when name or id is not one token. */
export function serveMicro(bus: Pick<Bus, 'subscribe'>, options: MicroOptions): MicroService {
  const { name, version, description, metadata = {}, endpoints, id = newId(options.name) } = options
  for (const token of [name, id]) {
    if (!isToken(token)) {
      throw new VolleyError('internal', `Cannot list service "${token}": letters, digits, - and _ only`)
    }
  }
  const started = new Date().toISOString()
  const identity = { name, id, version, metadata }
  const address = ({ name, subject }: MicroEndpoint) => ({ name, subject, queue_group: '' })

  const answers: Record<string, () => object> = {
    PING: () => ({ type: 'io.nats.micro.v1.ping_response', ...identity }),
    INFO: () => ({
      type: 'io.nats.micro.v1.info_response',
      ...identity,
      description,
      endpoints: endpoints.map((endpoint) => ({ ...address(endpoint), metadata: {} })),
    }),
    STATS: () => ({
      type: 'io.nats.micro.v1.stats_response',
      ...identity,
      started,
      endpoints: endpoints.map((endpoint) => ({ ...address(endpoint), ...stats(endpoint) })),
    }),
  }
  const subscriptions = Object.entries(answers).flatMap(([verb, answer]) => {
    const onMessage = (message: Message): void => message.respond(JSON.stringify(answer()))
    return [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`].map((subject) =>
      bus.subscribe(subject, onMessage)
    )
  })
  return { id, stop: () => subscriptions.forEach((subscription) => subscription.unsubscribe()) }
}

/** Times on the wire are whole nanoseconds. */
function stats({ data, counts }: MicroEndpoint): object {
  const { requests, errors, processingMs, lastError = '' } = counts?.() ?? { requests: 0, errors: 0, processingMs: 0 }
  return {
    num_requests: requests,
    num_errors: errors,
    last_error: lastError,
    processing_time: Math.round(processingMs * NANOS_PER_MS),
    average_processing_time: requests === 0 ? 0 : Math.round((processingMs * NANOS_PER_MS) / requests),
    ...(data ? { data: data() } : {}),
  }
}
