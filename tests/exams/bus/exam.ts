/**
 * What every question of the bus exam uses: two connections to one broker, and time that passes through the world.
 * @module
 */
import type { Bus, Delivery } from '../../../runtime/bus/bus.ts'
import { subjects } from '../../../runtime/bus/subjects.ts'
import { newId } from '../../../runtime/ids.ts'

/** What an adapter brings to its exam. */
export interface BusWorld {
  /** Another connection to the same broker. Closed by the exam. */
  connect(name: string): Promise<Bus>
  /** Lets time pass. */
  pass(ms: number): Promise<void>
  /** The broker's wall clock. */
  now(): number
  /** The broker crashes, stays away so long, and comes back with what it has stored. */
  crash?(awayMs: number): Promise<void>
  close(): Promise<void>
}

export const text = (data: Uint8Array): string => new TextDecoder().decode(data)
export const code = (error: unknown): unknown => (error as { code?: unknown }).code

/** How much time passes between two looks. */
const STEP_MS = 20

export class Exam {
  world!: BusWorld
  bus!: Bus
  other!: Bus

  async start(makeWorld: () => Promise<BusWorld>): Promise<void> {
    this.world = await makeWorld()
    this.bus = await this.during(this.world.connect('exam-one'))
    this.other = await this.during(this.world.connect('exam-two'))
    await this.during(Promise.all([this.bus.setUp(), this.other.setUp()]))
  }

  async end(): Promise<void> {
    await this.bus?.close()
    await this.other?.close()
    await this.world?.close()
  }

  /** Waits for a promise while time passes. */
  async during<T>(promise: Promise<T>, limitMs = 15_000): Promise<T> {
    let settled = false
    const settle = (): void => void (settled = true)
    promise.then(settle, settle)
    for (let ms = 0; !settled && ms < limitMs; ms += STEP_MS) await this.world.pass(STEP_MS)
    if (!settled) throw new Error(`still waiting after ${limitMs} ms`)
    return promise
  }

  /** Lets time pass until something holds. */
  async until(holds: () => boolean, limitMs = 15_000): Promise<void> {
    for (let ms = 0; !holds(); ms += STEP_MS) {
      if (ms >= limitMs) throw new Error(`does not hold after ${limitMs} ms`)
      await this.world.pass(STEP_MS)
    }
  }

  /** Returns when the broker has read all that a connection has said so far, subscriptions among it. */
  async flushed(bus: Bus): Promise<void> {
    await this.during(bus.bucket('volley_models').get('nothing'))
  }

  /** The code that a promise is rejected with, or `resolved`. */
  rejection = (promise: Promise<unknown>): Promise<unknown> => this.during(promise.then(() => 'resolved', code))

  /** A phase of its own, so that the questions do not meet. */
  async newPhase(): Promise<{ phase: string; hop: (id?: string) => string }> {
    const phase = newId('phase')
    await this.during(this.bus.ensurePhase(phase))
    return { phase, hop: (id = newId('req')) => subjects.hop(phase, 'model', 'default', id) }
  }

  pull(from: Bus, phase: string, max = 1, expiresMs = 1_000): Promise<Delivery[]> {
    return this.during(from.pull(phase, { max, expiresMs }))
  }

  async pullOne(from: Bus, phase: string, expiresMs = 1_000): Promise<Delivery> {
    const [delivery] = await this.pull(from, phase, 1, expiresMs)
    if (!delivery) throw new Error('nothing was handed out')
    return delivery
  }
}
