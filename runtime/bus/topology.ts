/**
 * Streams and buckets, and the times that the hop's rules share. One place, so that the CLI, the adapters and the docs agree.
 * @module
 */
import type { BucketName } from './bus.ts'

export const HOPS = 'VOLLEY_HOPS'
export const EVENTS = 'VOLLEY_EVENTS'
export const DEAD = 'VOLLEY_DEAD'

/** A hop's lease; a holder beats every third of it. */
export const ACK_WAIT_MS = 2_000
/** How long a repeated message id is recognised. */
export const DUPLICATE_WINDOW_MS = 60_000
/** Terminal records outlive every late END. */
export const TERMINAL_TTL_MS = 600_000
/** A live record outlives its deadline by this. */
export const LIVE_GRACE_MS = 60_000
/** Events of requests are kept this long. */
export const EVENTS_AGE_MS = 3_600_000
/** KV of a prompt is freed when nobody has renewed its lease for so long. */
export const KV_LEASE_MS = 30_000
/** Presence keys age out after this, and are renewed every third of it. */
export const PRESENCE_TTL_MS = 3_000

/** `history`: values kept a key. `ttl`: keys may age out one by one. */
export const BUCKETS: Record<BucketName, { description: string; history: number; ttl: boolean }> = {
  volley_requests: { description: 'one record a request: state, epoch, holder, next hop', history: 1, ttl: true },
  volley_instances: { description: 'instances that live now, with their numbers', history: 1, ttl: true },
  volley_labels: { description: 'which phase an instance is labelled for, by whom and why, and by which policy; with history', history: 32, ttl: false },
  volley_models: { description: 'models served', history: 1, ttl: true },
  volley_inputs: { description: 'prompts too long for a hop', history: 1, ttl: true },
  volley_gateways: { description: 'gateways that live now', history: 1, ttl: true },
  volley_schedulers: { description: 'schedulers that live now, by which policy they decide, and what a shadow makes of it', history: 1, ttl: true },
  volley_predictions: { description: 'how far predictions were off, by instance; kept 30 days after the last', history: 1, ttl: true },
}
