/**
 * The gateway's memory of open responses: which attempt may speak, what the reader has been shown, what arrived too early
 * (protocol rules 7 and 8). Nothing here is needed for a request to go on elsewhere.
 * @module
 */
import type { Bus, Subscription } from '../../runtime/bus/bus.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { TokenOut } from '../../runtime/engine/engine.ts'
import type { TokenMessage } from '../../runtime/pool/reader.ts'
import type { ClaimReply, ClaimRequest, EndRequest } from '../../runtime/wire/hop.ts'

/** How long an ended request is remembered, so that late claims and ENDs are answered. */
const REMEMBER_MS = 60_000
/** At most one word about a stale attempt in so long. */
const CONTROL_GAP_MS = 100

export type End = Omit<EndRequest, 'id'>

/** One open response. */
export class OpenResponse {
  fence = 0
  /** Token ids the reader has, by choice: the next index is the length. */
  readonly shown: number[][]
  readonly whenEnded: Promise<End>
  ended: End | undefined
  controlAt = -Infinity
  private readonly held = new Map<string, TokenOut>()
  private ready: TokenOut[] = []
  private wake: (() => void) | undefined
  private resolveEnded!: (end: End) => void

  constructor(choices: number) {
    this.shown = Array.from({ length: choices }, () => [])
    this.whenEnded = new Promise((resolve) => (this.resolveEnded = resolve))
  }

  /** A newer attempt speaks from now on. What an older one sent too early may differ from what this one will send. */
  raiseFence(attempt: number): void {
    if (attempt > this.fence) this.held.clear()
    this.fence = attempt
  }

  /** Shows what is next, holds what is early, drops what is late. */
  take(tokens: TokenOut[]): void {
    for (const token of tokens) {
      const shown = this.shown[token.choice]
      if (shown === undefined || token.index < shown.length) continue
      this.held.set(`${token.choice}.${token.index}`, token)
      for (let next = this.pop(token.choice); next !== undefined; next = this.pop(token.choice)) {
        shown.push(next.token)
        this.ready.push(next)
      }
    }
    this.wake?.()
  }

  end(end: End): void {
    if (this.ended) return
    this.ended = end
    this.resolveEnded(end)
    this.wake?.()
  }

  /** All tokens shown, in batches as they came. For one reader. */
  async *tokens(): AsyncGenerator<TokenOut[]> {
    while (true) {
      if (this.ready.length > 0) {
        const batch = this.ready
        this.ready = []
        yield batch
      } else if (this.ended) return
      else await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }

  private pop(choice: number): TokenOut | undefined {
    const key = `${choice}.${this.shown[choice]!.length}`
    const next = this.held.get(key)
    this.held.delete(key)
    return next
  }
}

export class OpenRequests {
  private readonly bus: Bus
  private readonly clock: Clock
  private readonly open = new Map<string, OpenResponse>()
  private readonly subscriptions: Subscription[]

  constructor(bus: Bus, clock: Clock, gateway: string) {
    this.bus = bus
    this.clock = clock
    this.subscriptions = [
      bus.subscribe(subjects.claim(gateway), (m) => m.respond(JSON.stringify(this.claim(m.json<ClaimRequest>())))),
      bus.subscribe(subjects.end(gateway), (m) => {
        const { id, ...end } = m.json<EndRequest>()
        this.end(id, end)
        m.respond('{"status":"ok"}')
      }),
      bus.subscribe(subjects.tokensOfGateway(gateway), (m) => this.token(m.subject.split('.').at(-1)!, m.json<TokenMessage>())),
    ]
  }

  /** Ids whose response is open now. */
  running(): string[] {
    return [...this.open].filter(([, r]) => r.ended === undefined).map(([id]) => id)
  }

  add(id: string, choices: number): OpenResponse {
    const response = new OpenResponse(choices)
    this.open.set(id, response)
    return response
  }

  /** Forgets a request that was never admitted. */
  remove(id: string): void {
    this.open.delete(id)
  }

  close(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe()
    const end: End = { state: 'cancelled', error: { code: 'shutting_down', message: 'The gateway is shutting down' } }
    for (const response of this.open.values()) response.end(end)
  }

  private claim({ id, attempt }: ClaimRequest): ClaimReply {
    const response = this.open.get(id)
    if (!response) return { status: 'unknown' }
    if (response.ended) return { status: 'ended' }
    if (attempt < response.fence) return { status: 'fenced' }
    response.raiseFence(attempt)
    return { status: 'ok', shown: response.shown }
  }

  private token(id: string, { attempt, tokens }: TokenMessage): void {
    const response = this.open.get(id)
    if (response && !response.ended && attempt === response.fence) return response.take(tokens)
    const now = this.clock.monotonic()
    if (response && now - response.controlAt < CONTROL_GAP_MS) return
    if (response) response.controlAt = now
    this.bus.publish(subjects.control(id), '{}')
  }

  /** The first END ends the reader; later ones change nothing. */
  private end(id: string, end: End): void {
    const response = this.open.get(id)
    if (!response || response.ended) return
    response.end(end)
    this.clock.setTimer(REMEMBER_MS, () => this.open.delete(id))
  }
}
