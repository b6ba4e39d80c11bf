/**
 * The owner's side of every mechanism: offers under their leases, who may read them, and their bytes from the first
 * pull to the end. Knows nothing of sockets or of the bus.
 * @module
 */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { newId, newSecret } from '../ids.ts'
import { isLive, isPinned, offered, transfer, type TransferEvent, type TransferState } from './machine.ts'
import type { HeldOffer, OfferOptions, TransferSource } from './plane.ts'
import type { Slots } from './slots.ts'

/**
 * Why a ticket is not honoured. `gone`: never was, ended, or its source is lost; `denied`: wrong secret; `fenced`: a
 * higher attempt has it.
 */
export type Refusal = 'gone' | 'denied' | 'fenced'

/** What a ticket is shown with. */
export interface Credentials {
  offer: string
  secret: string
  attempt: number
}

/** Leave to send the bytes once. Exactly one of `sent` and `failed` is to be called. */
export interface Grant {
  readonly bytes: Uint8Array
  readonly digest: string
  /** Fires when the bytes must not go on: a higher attempt came, or the offer ended. */
  readonly signal: AbortSignal
  sent(): void
  failed(): void
}

interface Offer {
  readonly name: string
  readonly secret: string
  readonly source: TransferSource
  readonly options: OfferOptions
  state: TransferState
  /** The source's bytes, on their way or here. */
  content: Promise<{ bytes: Uint8Array; digest: string }> | undefined
  residentBytes: number
  /** The pulls that are served, by their numbers: several only where the offer is shared. */
  readonly reading: Map<number, AbortController>
  cancelLease: () => void
}

export class Offers {
  readonly #clock: Clock
  readonly #slots: Slots
  readonly #offers = new Map<string, Offer>()
  #readers = 0

  /** `slots` bounds how many pulls are served at a time. */
  constructor(clock: Clock, slots: Slots) {
    this.#clock = clock
    this.#slots = slots
  }

  make(source: TransferSource, options: OfferOptions): { offer: string; secret: string } {
    const offer: Offer = {
      name: newId('offer'),
      secret: newSecret(),
      source,
      options,
      state: offered(options.attempt, this.#leaseEnd(options), options.shared),
      content: undefined,
      residentBytes: 0,
      reading: new Map(),
      cancelLease: () => undefined,
    }
    this.#offers.set(offer.name, offer)
    this.#watchLease(offer)
    return { offer: offer.name, secret: offer.secret }
  }

  /** Leave to read, as soon as a slot is free and the source has been read. `signal`: the puller is gone. */
  async open(credentials: Credentials, signal?: AbortSignal): Promise<Grant | Refusal> {
    const offer = this.#find(credentials)
    if (typeof offer === 'string') return offer
    const reader = ++this.#readers
    const leaseUntilMs = this.#leaseEnd(offer.options)
    if (!this.#apply(offer, { type: 'REDEEM', attempt: credentials.attempt, reader, leaseUntilMs })) return 'fenced'
    const abort = new AbortController()
    offer.reading.set(reader, abort)
    offer.options.onRedeem?.()
    const both = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal
    let giveBack = (): void => undefined
    const over = (type: 'SENT' | 'FAILED'): void => {
      giveBack()
      if (offer.reading.delete(reader)) this.#apply(offer, { type, reader })
    }
    const failed = (): void => over('FAILED')
    try {
      await untilAborted(Promise.resolve(offer.source.ready).catch(() => undefined), both)
      giveBack = await this.#slots.take(both)
      const { bytes, digest } = await untilAborted(this.#read(offer), both)
      if (!this.#apply(offer, { type: 'READ', reader })) throw new Error('ended meanwhile')
      return { bytes, digest, signal: both, sent: () => over('SENT'), failed }
    } catch {
      failed()
      const { state } = offer
      return isLive(state) && state.readers === undefined && state.attempt > credentials.attempt ? 'fenced' : 'gone'
    }
  }

  /** Starts the lease again; false where there is no such offer or a higher attempt has it. */
  renew(credentials: Credentials): boolean {
    const offer = this.#find(credentials)
    if (typeof offer === 'string') return false
    return this.#apply(offer, {
      type: 'RENEWED',
      attempt: credentials.attempt,
      leaseUntilMs: this.#leaseEnd(offer.options),
    })
  }

  complete(credentials: Credentials): boolean {
    const offer = this.#find(credentials)
    return typeof offer !== 'string' && this.#apply(offer, { type: 'COMPLETED', attempt: credentials.attempt })
  }

  release(name: string): void {
    const offer = this.#offers.get(name)
    if (offer) this.#apply(offer, { type: 'RELEASED' })
  }

  has(name: string): boolean {
    return this.#offers.has(name)
  }

  held(): HeldOffer[] {
    const now = this.#clock.monotonic()
    return [...this.#offers.values()].flatMap(({ name, options, state, residentBytes }) => {
      if (!isLive(state)) return []
      const { attempt, leaseUntilMs } = state
      const leaseMs = Math.max(0, leaseUntilMs - now)
      return [{ offer: name, request: options.id, state: state.state, attempt, residentBytes, leaseMs }]
    })
  }

  close(): void {
    for (const name of [...this.#offers.keys()]) this.release(name)
  }

  #find({ offer: name, secret }: Credentials): Offer | Refusal {
    const offer = this.#offers.get(name)
    if (!offer) return 'gone'
    const [mine, theirs] = [Buffer.from(offer.secret), Buffer.from(secret)]
    return mine.length === theirs.length && timingSafeEqual(mine, theirs) ? offer : 'denied'
  }

  #leaseEnd({ leaseMs }: OfferOptions): number {
    return this.#clock.monotonic() + leaseMs
  }

  async #read(offer: Offer): Promise<{ bytes: Uint8Array; digest: string }> {
    offer.content ??= offer.source.read()
    try {
      const content = await offer.content
      if (content.bytes.length !== offer.source.bytes) throw new Error('the source has another size')
      if (isLive(offer.state)) offer.residentBytes = content.bytes.length
      return content
    } catch (error) {
      // The source is lost for everybody, not only for this reader.
      this.#apply(offer, { type: 'RELEASED' })
      throw error
    }
  }

  /** Steps the offer and does what follows; false when the event was refused. */
  #apply(offer: Offer, event: TransferEvent): boolean {
    const { next, effects, refused } = transfer(offer.state, event)
    if (refused) return false
    offer.state = next
    for (const effect of effects) {
      if (effect.kind === 'free') this.#free(offer)
      else offer.reading.get(effect.reader)?.abort(new Error('superseded or ended'))
    }
    this.#watchLease(offer)
    return true
  }

  #free(offer: Offer): void {
    this.#offers.delete(offer.name)
    offer.content = undefined
    offer.residentBytes = 0
    for (const abort of offer.reading.values()) abort.abort(new Error('ended'))
    if (!isLive(offer.state)) offer.options.onEnd?.(offer.state.state)
  }

  #watchLease(offer: Offer): void {
    offer.cancelLease()
    offer.cancelLease = () => undefined
    const { state } = offer
    if (!isLive(state) || isPinned(state) || state.leaseUntilMs === Infinity) return
    const tick = (): void => {
      const ended = this.#apply(offer, { type: 'TICK', nowMs: this.#clock.monotonic() })
      if (!ended) this.#watchLease(offer)
    }
    offer.cancelLease = this.#clock.setTimer(Math.max(1, state.leaseUntilMs - this.#clock.monotonic()), tick)
  }
}

/** The promise, or the signal's reason as soon as it fires; what is under way goes on by itself. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  promise.catch(() => undefined)
  signal.throwIfAborted()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
