/**
 * The instance's side of a hop: Look, claim, beat, run, finish (protocol rules 12 to 18). It knows nothing of models: an
 * actor does the work and says what came of it, the machine says what follows.
 * @module
 */
import type { Bus, Subscription } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import { ACK_WAIT_MS } from '../bus/topology.ts'
import { type Clock, sleep } from '../clock.ts'
import { isVolleyError, toVolleyError, VolleyError } from '../errors.ts'
import { newSecret } from '../ids.ts'
import type { Json } from '../json.ts'
import { step } from '../machine/step.ts'
import type { PhaseEvent, Step } from '../machine/types.ts'
import { type HandOver, type HandOverReply, isTerminal, type RequestRecord, TIMER } from '../wire/hop.ts'
import type { Actor, ActorContext, Services, SlotClass } from './actor.ts'
import { endReader } from './ending.ts'
import { every } from './holds.ts'
import { publishHop, recordAfter } from './hops.ts'
import { inject, purgeRequest } from './inject.ts'
import { Job } from './job.ts'
import type { ActualEntry } from './ledger.ts'
import { emit, emitStates, releasesOf } from './perform.ts'
import { LookNow, Reader } from './reader.ts'
import { type Found, Records } from './records.ts'

/** Claims of one epoch that came to nothing before the request is called poison. */
const MAX_CLAIMS = 5

export interface HostOptions {
  bus: Bus
  clock: Clock
  /** One subject token. */
  id: string
  incarnation: string
  model: string
  actors: readonly Actor[]
  services: Services
  /** Whether a slot of this kind is free here. */
  hasSlot: (slots: SlotClass) => boolean
  /** Frees a reference that a step released, here or at its owner. */
  release: (ref: Json, attempt: number) => void
  /** Something changed that a scheduler would like to know. */
  onChange?: () => void
  /** A prediction met what came of it. */
  onActual?: (actual: ActualEntry) => void
  onError?: (error: unknown, request: string) => void
}

type Looked = 'mine' | 'claimable' | 'stale' | 'ended' | 'dropped'

export class InstanceHost {
  /** By request id. */
  readonly jobs = new Map<string, Job>()
  /** Hops between acceptance and claim: they take slots already. */
  readonly taking = new Map<string, HandOver>()
  /** Hand-overs accepted since start: schedulers settle their ledgers by it. */
  accepted = 0
  draining = false
  private readonly options: HostOptions
  private readonly records: Records
  private readonly actors: Map<string, Actor>
  private readonly subscriptions: Subscription[] = []
  private readonly stops: (() => void)[] = []

  constructor(options: HostOptions) {
    this.options = options
    this.records = new Records(options.bus, options.clock)
    this.actors = new Map(options.actors.map((a) => [a.name, a]))
  }

  start(): void {
    const { bus, clock, id } = this.options
    this.subscriptions.push(
      bus.subscribe(subjects.handOver(id), (message) => {
        void this.handOver(message.json<HandOver>()).then(
          (reply) => message.respond(JSON.stringify(reply)),
          (error) => this.report(error, 'hand-over'),
        )
      }),
      bus.subscribe(subjects.allControl, (message) => {
        const request = message.subject.split('.')[3]!
        void this.lookAgain(request).catch((error) => this.report(error, request))
      }),
    )
    this.stops.push(
      every(clock, ACK_WAIT_MS / 3, () => this.beatAll()),
      bus.onReconnect(() => {
        for (const job of this.jobs.values()) void job.reader?.resend().catch((error) => this.interrupted(job, error))
      }),
    )
  }

  /** Takes no more work; resolves when what is here has finished, or `graceMs` has passed and it was dropped. */
  async stop(graceMs: number): Promise<void> {
    this.draining = true
    const end = this.options.clock.monotonic() + graceMs
    while (this.jobs.size > 0 && this.options.clock.monotonic() < end) await sleep(this.options.clock, 20)
    for (const job of [...this.jobs.values()]) this.drop(job)
    for (const subscription of this.subscriptions) subscription.unsubscribe()
    for (const stop of this.stops) stop()
  }

  /** Rule 10 as the instance answers it. */
  async handOver(handOver: HandOver): Promise<HandOverReply & { accepted?: number }> {
    const { hop } = handOver
    const { holds } = this.options.services
    if (hop.phase === TIMER) return await this.timer(handOver)
    const actor = this.actors.get(hop.phase)
    if (hop.model !== this.options.model) return { status: 'refused', reason: 'wrongModel' }
    if (!actor) return { status: 'refused', reason: 'noActor' }
    // A draining instance still ends what has ended: only fresh work is refused.
    const found = await this.records.read(hop.id)
    const looked = await this.look(handOver, found)
    if (looked === 'mine') return { status: 'accepted' }
    if (looked !== 'claimable') return { status: looked }
    if (this.draining) return { status: 'refused', reason: 'draining' }
    if (!this.options.hasSlot(actor.slots) || !actor.accepts(handOver, this.options.services)) return { status: 'refused', reason: 'full' }
    // Counted before the claim's answer, or many hops at once would all find the same room.
    this.taking.set(hop.id, handOver)
    holds.expect(hop.id, actor.tokensOf(handOver))
    let claimed: Job | undefined
    try {
      claimed = await this.claim(handOver, found!)
    } finally {
      this.taking.delete(hop.id)
      if (!claimed) holds.unexpect(hop.id)
    }
    if (!claimed) return { status: await this.settle(handOver) }
    this.accepted++
    void this.work(claimed, actor).catch((error) => {
      // It could not even look: a job that nobody works on must not be beaten on.
      this.drop(claimed)
      this.report(error, hop.id)
    })
    return { status: 'accepted', accepted: this.accepted }
  }

  /** Rule 12, up to the claim. Everything it does may be done twice. */
  private async look(handOver: HandOver, found: Found | undefined): Promise<Looked> {
    const { hop, ackSubject, seq, delivery } = handOver
    const { bus, clock } = this.options
    if (!found) {
      const gone = { state: 'failed', gateway: hop.gateway, error: { code: 'record_gone', message: 'The request has no record' } }
      await endReader(bus, clock, hop.id, gone as RequestRecord)
      bus.ack(ackSubject)
      this.free(hop.id)
      return 'ended'
    }
    const { record } = found
    if (isTerminal(record)) {
      await endReader(bus, clock, hop.id, record)
      await purgeRequest(bus, clock, hop.id)
      bus.ack(ackSubject)
      this.free(hop.id)
      return 'ended'
    }
    if (record.epoch > hop.epoch) {
      // Claimed already = it was queued.
      if (record.epoch === hop.epoch + 1 && record.claims === 0) await publishHop(bus, clock, record.next!)
      bus.ack(ackSubject)
      return 'stale'
    }
    if (record.epoch < hop.epoch) return 'dropped'
    if (seq < record.seq) {
      bus.ack(ackSubject)
      return 'stale'
    }
    if (seq === record.seq && delivery <= record.delivery) {
      const job = this.jobs.get(hop.id)
      return job?.owns(record) ? 'mine' : 'dropped'
    }
    return 'claimable'
  }

  /** Look once more after a lost claim; never claims again by itself. */
  private async settle(handOver: HandOver): Promise<'accepted' | 'stale' | 'ended' | 'dropped'> {
    const looked = await this.look(handOver, await this.records.read(handOver.hop.id))
    return looked === 'mine' ? 'accepted' : looked === 'claimable' ? 'dropped' : looked
  }

  private async claim(handOver: HandOver, { record, revision }: Found): Promise<Job | undefined> {
    const { bus, clock, id, incarnation } = this.options
    const { hop, seq, delivery, ackSubject } = handOver
    if (record.claims >= MAX_CLAIMS) {
      const message = `${record.claims} instances took phase "${hop.phase}" of this request and none finished it`
      const made = step(hop.stored, { type: 'FAIL', error: { code: 'poison', message } })
      const after = recordAfter(record, made, clock.now())
      if ((await this.records.write(hop.id, after, revision)) !== undefined) {
        bus.publish(subjects.dead(hop.id), JSON.stringify({ ...hop, error: after.error }))
        emitStates(bus, clock, hop.id, after, made, id)
        await endReader(bus, clock, hop.id, after)
        await purgeRequest(bus, clock, hop.id)
        bus.ack(ackSubject)
      }
      return undefined
    }
    const holder = `${id}.${incarnation}`
    const mine = { ...record, attempt: record.attempt + 1, claims: record.claims + 1, seq, delivery, holder, stamp: newSecret() }
    const written = await this.records.write(hop.id, mine, revision)
    if (written === undefined) return undefined
    // An older job of the same request here has just been fenced by this claim.
    const older = this.jobs.get(hop.id)
    if (older) this.drop(older)
    const job = new Job(handOver, mine, written, clock)
    this.jobs.set(hop.id, job)
    job.beat(bus)
    this.options.onChange?.()
    emit(bus, clock, hop.id, { state: 'claimed', epoch: hop.epoch, attempt: mine.attempt, instance: id, detail: { phase: hop.phase } })
    return job
  }

  private async work(job: Job, actor: Actor): Promise<void> {
    const { bus, clock, id, incarnation, services } = this.options
    const { hop, decodeHere, decodeAt, alongside } = job.handOver
    const { attempt } = job.record
    const { signal } = job.abort
    job.reader = new Reader({ bus, clock, id: hop.id, gateway: hop.gateway, attempt, signal })
    const context: ActorContext = {
      id: hop.id, epoch: hop.epoch, attempt, state: hop.state, context: hop.stored.context, params: hop.with, deadline: hop.deadline,
      decodeHere, decodeAt, alongside, instance: { id, incarnation }, signal, clock, reader: job.reader, services,
      waits: (on) => {
        job.waits = on
        this.options.onChange?.()
      },
    }
    let event: PhaseEvent
    try {
      event = await actor.run(context)
    } catch (error) {
      if (this.jobs.get(hop.id) !== job) return this.discard(job)
      if (error instanceof LookNow) {
        if (!(await this.lookAt(job))) return this.discard(job)
        // The record is still ours. Fenced all the same: whoever fenced us will write; the redelivered hop heals it.
        if (error.status === 'fenced') return this.drop(job)
        event = failureOf(new VolleyError('gateway_gone', error.message))
      } else event = failureOf(error)
    }
    if (this.jobs.get(hop.id) !== job) return this.discard(job)
    this.compare(job, event)
    await this.finish(job, event)
  }

  /** A hop whose report says what was predicted of it: both go beside the decision. */
  private compare({ id: request, handOver: { hop, predictedMs } }: Job, { report }: PhaseEvent): void {
    const { bus, clock, id, onActual } = this.options
    const actualMs = report?.['actualMs']
    if (typeof predictedMs !== 'number' || typeof actualMs !== 'number') return
    const entry: ActualEntry = { outcome: 'actual', request, phase: hop.phase, instance: id, predictedMs, actualMs, atMs: clock.now() }
    bus.publish(subjects.decision(request, hop.phase), JSON.stringify(entry))
    onActual?.(entry)
  }

  /** Of a job that was dropped while its actor worked: what it has kept since then is named in no record. */
  private discard(job: Job): void {
    this.options.services.holds.releaseAttempt(job.id, job.record.attempt)
    this.options.onChange?.()
  }

  /** Rule 15, in its order. */
  private async finish(job: Job, event: PhaseEvent): Promise<void> {
    const { bus, clock, id } = this.options
    const { hop, ackSubject } = job.handOver
    if (job.leaseInDoubt && !(await this.lookAt(job))) return
    const made = this.stepOrFail(job, event)
    const after = recordAfter(job.record, made, clock.now())
    const { signal } = job.abort
    try {
      const written = await this.records.write(hop.id, after, job.revision, signal)
      if (written === undefined) {
        await this.lookAt(job)
        return
      }
      job.stamp = after.stamp
      emitStates(bus, clock, hop.id, after, made, id)
      if (isTerminal(after)) {
        await endReader(bus, clock, hop.id, after, signal)
        // Before the ack: if it is lost, the redelivered hop's Look does it again.
        await purgeRequest(bus, clock, hop.id)
      } else await publishHop(bus, clock, after.next!, signal)
      bus.ack(ackSubject)
      // Whoever still holds something of it (an attempt that was fenced) frees it now, not at lease end.
      if (isTerminal(after)) bus.publish(subjects.control(hop.id), '{}')
    } catch (error) {
      // Stop beating and drop: the next holder's Look repairs what is missing.
      this.drop(job)
      if (!signal.aborted) this.report(error, hop.id)
      return
    }
    for (const ref of releasesOf(made)) this.options.release(ref, job.record.attempt)
    if (this.jobs.get(hop.id) === job) this.jobs.delete(hop.id)
    this.options.services.holds.unexpect(hop.id)
    if (isTerminal(after)) this.options.services.holds.releaseRequest(hop.id)
    this.options.onChange?.()
  }

  private stepOrFail(job: Job, event: PhaseEvent): Step {
    const { stored } = job.handOver.hop
    try {
      const made = step(stored, event)
      if (!made.ignored) return made
      const message = `State "${job.record.state}" has no answer to event "${event.type}"`
      return step(stored, { type: 'FAIL', error: { code: 'actor_failed', message } })
    } catch (error) {
      return step(stored, failureOf(error))
    }
  }

  /** A timer's hop: not work, but an event for the machine. */
  private async timer(handOver: HandOver): Promise<HandOverReply> {
    const { bus, clock } = this.options
    const { hop, ackSubject } = handOver
    const made = await inject(bus, clock, hop.id, hop.event!, { forEpoch: hop.forEpoch })
    // Who wrote what it found may have died before the rest, and a state that only waits has no other hop that would Look.
    if (made === 'ended' || made === 'ignored') await this.look(handOver, await this.records.read(hop.id))
    bus.ack(ackSubject)
    return { status: 'accepted' }
  }

  private beatAll(): void {
    for (const job of this.jobs.values()) {
      this.options.services.holds.renew(job.id)
      void this.beat(job).catch((error) => this.interrupted(job, error))
    }
  }

  /** Rule 13. */
  private async beat(job: Job): Promise<void> {
    if (job.beating) return
    job.beating = true
    const found = await this.records.read(job.id, job.abort.signal).finally(() => (job.beating = false))
    if (this.jobs.get(job.id) !== job) return
    if (found && job.owns(found.record)) return job.beat(this.options.bus)
    await this.settleJob(job, found)
  }

  /** Rule 18: a word on the control subject means "Look now", nothing more. */
  private async lookAgain(request: string): Promise<void> {
    const job = this.jobs.get(request)
    // A job that came to its end while we looked has left its holds behind.
    if (job && (await this.lookAt(job))) return
    if (!this.options.services.holds.requests().includes(request)) return
    const found = await this.records.read(request)
    if (!found || isTerminal(found.record)) this.free(request)
  }

  /** Whether the job may go on; else it has been stopped and what its record asks for was done. */
  private async lookAt(job: Job): Promise<boolean> {
    const found = await this.records.read(job.id)
    if (this.jobs.get(job.id) !== job) return false
    if (found && job.owns(found.record)) {
      job.beat(this.options.bus)
      return true
    }
    await this.settleJob(job, found)
    return false
  }

  private async settleJob(job: Job, found: Found | undefined): Promise<void> {
    this.drop(job)
    await this.look(job.handOver, found)
  }

  /** Stops compute and forgets the job: no ack, no nak, no beat. */
  private drop(job: Job): void {
    if (this.jobs.get(job.id) === job) this.jobs.delete(job.id)
    this.options.services.holds.unexpect(job.id)
    job.abort.abort(new VolleyError('cancelled', `Request ${job.id} is not this instance's any more`))
    this.options.onChange?.()
  }

  private free(request: string): void {
    const job = this.jobs.get(request)
    if (job) this.drop(job)
    this.options.services.holds.releaseRequest(request)
    this.options.onChange?.()
  }

  private interrupted(job: Job, error: unknown): void {
    if (error instanceof LookNow) void this.lookAt(job).catch((e) => this.report(e, job.id))
    else if (!job.abort.signal.aborted && !isVolleyError(error, 'gateway_gone') && !isVolleyError(error, 'bus_timeout')) {
      this.report(error, job.id)
    }
  }

  private report(error: unknown, request: string): void {
    this.options.onError?.(error, request)
  }
}

/** What an actor's error makes of its request. A vanished gateway cancels: there is nobody to answer. */
function failureOf(error: unknown): PhaseEvent {
  const { code, message } = toVolleyError(error, 'actor_failed')
  return { type: code === 'gateway_gone' ? 'CANCEL' : 'FAIL', error: { code, message } }
}
