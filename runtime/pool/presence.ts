/**
 * A process's sign of life: a bucket key that ages out unless renewed, so that a watcher hears of a death.
 * @module
 */
import type { Bus, BucketName } from '../bus/bus.ts'
import { PRESENCE_TTL_MS } from '../bus/topology.ts'
import type { Clock } from '../clock.ts'
import type { Json } from '../json.ts'
import { every } from './holds.ts'

export class Presence {
  private readonly bus: Bus
  private readonly bucket: BucketName
  private readonly key: string
  private readonly value: () => Json
  /** Renews no more; the key ages out. */
  readonly stop: () => void

  /** Renews `key` at once and every third of its lifetime. A failed renewal is tried again by the next one. */
  constructor(bus: Bus, clock: Clock, bucket: BucketName, key: string, value: () => Json) {
    this.bus = bus
    this.bucket = bucket
    this.key = key
    this.value = value
    const renew = () => void this.renew().catch(() => undefined)
    const stops = [every(clock, PRESENCE_TTL_MS / 3, renew), bus.onReconnect(renew)]
    this.stop = () => stops.forEach((s) => s())
  }

  /** Error: `bus_timeout`. */
  async renew(): Promise<void> {
    await this.bus.bucket(this.bucket).put(this.key, JSON.stringify(this.value()), { ttlMs: PRESENCE_TTL_MS })
  }

  /** Says goodbye: the key is gone at once. */
  async close(): Promise<void> {
    this.stop()
    await this.bus.bucket(this.bucket).delete(this.key)
  }
}
