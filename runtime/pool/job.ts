/**
 * One claimed hop at work on this instance: its lease and its fence.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { ACK_WAIT_MS } from '../bus/topology.ts'
import type { Clock } from '../clock.ts'
import type { HandOver, RequestRecord } from '../wire/hop.ts'
import type { Reader } from './reader.ts'

export class Job {
  readonly handOver: HandOver
  /** As claimed: what the finish expects to find. */
  readonly record: RequestRecord
  readonly revision: number
  readonly abort = new AbortController()
  reader: Reader | undefined
  /** Of my last write: while the record carries it, nobody else has touched the request. */
  stamp: string
  /** A beat waits for its answer: no second one is begun. */
  beating = false
  /** It waits for something that is made elsewhere: its slot is for others meanwhile. */
  waits = false
  private lastBeatAt: number
  private readonly clock: Clock

  constructor(handOver: HandOver, record: RequestRecord, revision: number, clock: Clock) {
    this.handOver = handOver
    this.record = record
    this.revision = revision
    this.clock = clock
    this.stamp = record.stamp
    this.lastBeatAt = clock.monotonic()
  }

  get id(): string {
    return this.handOver.hop.id
  }

  beat(bus: Bus): void {
    bus.working(this.handOver.ackSubject)
    this.lastBeatAt = this.clock.monotonic()
  }

  /** Whether the lease may have passed to somebody else since the last beat: then Look before any write (rule 13). */
  get leaseInDoubt(): boolean {
    return this.clock.monotonic() - this.lastBeatAt > ACK_WAIT_MS
  }

  /** Whether the record is still as this job wrote it last. */
  owns(record: RequestRecord): boolean {
    return record.stamp === this.stamp
  }
}
