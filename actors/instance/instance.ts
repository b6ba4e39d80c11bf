/**
 * One instance: an engine, every actor, and the host that works hops with them; its sign of life and its KV holds.
 * Several may share a process and a bus connection.
 * @module
 */
import type { Bus, Subscription } from '../../runtime/bus/bus.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Engine } from '../../runtime/engine/engine.ts'
import { ImageDecoder } from '../../runtime/engine/vision/decode.ts'
import type { TextModel } from '../../runtime/engine/text.ts'
import { toToken } from '../../runtime/ids.ts'
import type { Json } from '../../runtime/json.ts'
import type { EmbedsRef, KvRef, LlmContext } from '../../runtime/machine/generate.ts'
import { AccuracyKeeper } from '../../runtime/pool/accuracy.ts'
import type { Actor, Services, SlotClass } from '../../runtime/pool/actor.ts'
import { slotsOf } from '../../runtime/pool/slots.ts'
import { GapMeter } from '../../runtime/pool/gaps.ts'
import { every, Holds } from '../../runtime/pool/holds.ts'
import { InstanceHost } from '../../runtime/pool/host.ts'
import type { CostProfile } from '../../runtime/policy/profile.ts'
import { Inputs } from '../../runtime/pool/inputs.ts'
import type { Mover } from '../../runtime/pool/mover.ts'
import { Records } from '../../runtime/pool/records.ts'
import { Presence } from '../../runtime/pool/presence.ts'
import type { InstanceStats } from '../../runtime/pool/stats.ts'
import type { ReleaseMessage } from '../../runtime/wire/hop.ts'
import { PictureEncoder } from '../encode/encoder.ts'
import { EncodePeers } from '../encode/peers.ts'
import { isHere } from '../kv.ts'

/** Prefills an instance takes before its first ones are through: enough to keep the engine busy, few enough to leave the rest to others. */
const PREFILL_SLOTS = 4
const OTHER_SLOTS = 16
/** What policies watch is summed over so long. */
const INTERVAL_MS = 1_000
/** Changes are told at most so often between heartbeats. */
const TELL_GAP_MS = 5

export interface InstanceOptions {
  bus: Bus
  clock: Clock
  id: string
  incarnation: string
  engine: Engine
  text: TextModel
  /** Frees what the mover keeps of a hold, if anything. */
  mover: Mover & { forget(hold: string): void }
  stopWatch: Services['stopWatch']
  /**
   * Picture files to pixels, where the engine sees.
   *
   * @default {new ImageDecoder()}
   */
  pictures?: Pick<ImageDecoder, 'decode'>
  actors: readonly Actor[]
  host: string
  pid: number
  profile: CostProfile
  onError?: (error: unknown, request: string) => void
}

export class Instance {
  readonly host: InstanceHost
  readonly holds: Holds
  private readonly options: InstanceOptions
  private readonly gaps: GapMeter
  private readonly actors: readonly Actor[]
  private readonly encoder: PictureEncoder | undefined
  private readonly peers: EncodePeers | undefined
  private readonly accuracy: AccuracyKeeper
  private stopTurning: (() => void) | undefined
  private readonly subscriptions: Subscription[] = []
  private presence: Presence | undefined
  private cancelTell: (() => void) | undefined

  constructor(options: InstanceOptions) {
    const { bus, clock, id, incarnation, engine, text, mover, stopWatch } = options
    this.options = options
    this.gaps = new GapMeter(clock)
    this.accuracy = new AccuracyKeeper(bus, id)
    const records = new Records(bus, clock)
    this.holds = new Holds({
      clock,
      free(hold) {
        engine.release(hold)
        mover.forget(hold)
        encoder?.forget(hold)
      },
      async wanted(request, hold) {
        const { kv, embeds = [] } = ((await records.read(request))?.record.next?.stored.context ?? {}) as Partial<LlmContext>
        return [kv, ...embeds].some((ref) => ref?.hold === hold && ref.instance === id)
      },
    })
    const encoder = this.encoderOf(options)
    const peers = encoder && new EncodePeers({ bus, id, encoder, isDraining: () => this.host.draining })
    this.encoder = encoder
    this.peers = peers
    // What cannot see does not say that it encodes.
    this.actors = options.actors.filter(({ name }) => name !== 'encode' || encoder !== undefined)
    const services: Services = {
      engine, text, holds: this.holds, inputs: new Inputs(bus), transfer: mover, gaps: this.gaps, stopWatch, ...(peers ? { encoder: peers } : {}),
    }
    this.host = new InstanceHost({
      bus, clock, id, incarnation, model: toToken(text.name), actors: this.actors, services,
      hasSlot: (slots) => this.freeSlots()[slots] > 0,
      release: (ref, attempt) => this.release(ref, attempt),
      onChange: () => this.tellSoon(),
      onActual: ({ phase, predictedMs, actualMs }) => this.accuracy.note(phase, predictedMs, actualMs),
      ...(options.onError ? { onError: options.onError } : {}),
    })
  }

  /** Resolves when schedulers can see it. */
  async start(): Promise<void> {
    const { bus, clock, id } = this.options
    await this.accuracy.load()
    this.host.start()
    this.peers?.start()
    this.stopTurning = every(clock, INTERVAL_MS, () => this.turn())
    this.subscriptions.push(
      bus.subscribe(subjects.instanceOp(id, 'drain'), (m) => {
        this.host.draining = m.json<{ on: boolean }>().on
        this.tellSoon()
        m.respond('{"status":"ok"}')
      }),
      bus.subscribe(subjects.instanceOp(id, 'release'), (m) => this.holds.release(m.json<ReleaseMessage>().hold)),
    )
    this.presence = new Presence(bus, clock, 'volley_instances', id, () => this.stats() as unknown as Json)
    await this.presence.renew()
  }

  /** Drains, then says goodbye. */
  async stop(graceMs: number): Promise<void> {
    this.host.draining = true
    await this.presence?.renew().catch(() => undefined)
    await this.host.stop(graceMs)
    this.peers?.stop()
    for (const subscription of this.subscriptions) subscription.unsubscribe()
    this.cancelTell?.()
    this.stopTurning?.()
    this.holds.close()
    await Promise.allSettled([this.accuracy.save(), this.presence?.close()])
  }

  stats(): InstanceStats {
    const { id, incarnation, engine, text, host, pid, clock } = this.options
    // Tiles whose files are still on their way are known here, not to the engine.
    const waiting = this.encoder?.load
    return {
      state: this.host.draining ? 'draining' : 'up',
      id, incarnation, host, pid,
      model: toToken(text.name),
      phases: this.actors.map((a) => a.name),
      accepted: this.host.accepted,
      freeSlots: this.freeSlots(),
      engine: engine.info,
      load: engine.stats(),
      ...(waiting ? { encode: { tiles: waiting.tiles, hops: waiting.parts } } : {}),
      profile: this.options.profile,
      gaps: this.gaps.read(),
      holds: this.holds.size,
      jobs: this.host.jobs.size,
      atMs: clock.now(),
    }
  }

  /** Undefined where the engine sees no pictures. */
  private encoderOf({ engine, id, incarnation, mover, pictures = new ImageDecoder() }: InstanceOptions): PictureEncoder | undefined {
    const { vision } = engine.info
    if (vision === undefined || engine.encode === undefined) return undefined
    return new PictureEncoder({
      instance: { id, incarnation }, vision, mover, pictures, holds: this.holds,
      encode: (job, signal) => engine.encode!(job, signal),
      onChange: () => this.tellSoon(),
    })
  }

  /** Ends an interval. What could not be saved now is saved with the next one. */
  private turn(): void {
    this.gaps.turn()
    void this.accuracy.save().catch(() => undefined)
  }

  private freeSlots(): Record<SlotClass, number> {
    const used: Record<SlotClass, number> = { prefill: 0, decode: 0, other: 0 }
    for (const job of this.host.jobs.values()) if (!job.waits) used[slotsOf(job.handOver.hop.phase)]++
    for (const { hop } of this.host.taking.values()) used[slotsOf(hop.phase)]++
    const { maxBatch } = this.options.engine.info
    return { prefill: PREFILL_SLOTS - used.prefill, decode: maxBatch - used.decode, other: OTHER_SLOTS - used.other }
  }

  private release(ref: Json, attempt: number): void {
    const held = ref as unknown as KvRef | EmbedsRef
    if (isHere(held, this.options)) return this.holds.release(held.hold)
    const body: ReleaseMessage = { hold: held.hold, attempt }
    this.options.bus.publish(subjects.instanceOp(held.instance, 'release'), JSON.stringify(body))
  }

  /** Tells schedulers soon, so that a freed slot does not wait for the next heartbeat. */
  private tellSoon(): void {
    const { bus, clock, id } = this.options
    this.cancelTell ??= clock.setTimer(TELL_GAP_MS, () => {
      this.cancelTell = undefined
      bus.publish(subjects.instanceOp(id, 'stats'), JSON.stringify(this.stats()))
    })
  }
}
