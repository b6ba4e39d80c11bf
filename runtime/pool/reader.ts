/**
 * A phase's line to the reader of its request: claim, tokens, confirm (protocol rules 7, 8, 14, 21). Tokens are kept here
 * until confirmed, so that what was lost on the way is sent again.
 * @module
 */
import type { Bus } from '../bus/bus.ts'
import { subjects } from '../bus/subjects.ts'
import { type Clock, sleep } from '../clock.ts'
import type { TokenOut } from '../engine/engine.ts'
import { isVolleyError, VolleyError } from '../errors.ts'
import type { ClaimReply, ClaimRequest } from '../wire/hop.ts'
import { GatewayWatch } from './ending.ts'

/** Thrown when the gateway's answer says that this attempt is over: the host looks at the record. */
export class LookNow extends Error {
  readonly status: 'ended' | 'fenced'

  constructor(request: string, status: 'ended' | 'fenced') {
    super(`The reader of ${request} is ${status}`)
    this.status = status
    this.name = 'LookNow'
  }
}

const TRY_MS = 500
/** Long answers are confirmed in pieces of this many tokens, so that a resend stays below the broker's message limit. */
const RESEND_TOKENS = 2_000

/** Body of a token message. */
export interface TokenMessage {
  attempt: number
  tokens: TokenOut[]
}

export interface ReaderOptions {
  bus: Bus
  clock: Clock
  id: string
  gateway: string
  attempt: number
  signal: AbortSignal
}

export class Reader {
  private readonly options: ReaderOptions
  private readonly watch: GatewayWatch
  /** By choice: what was handed to `send`, by index. */
  private readonly sent: TokenOut[][] = []
  private opened: Promise<number[][]> | undefined

  constructor(options: ReaderOptions) {
    this.options = options
    this.watch = new GatewayWatch(options.bus, options.clock, options.gateway)
  }

  /**
   * Claims the reader for this attempt: older attempts are refused from now on. Answers the token ids that it has, by
   * choice. Errors: LookNow; `gateway_gone` when there is nobody left to read.
   */
  open(): Promise<number[][]> {
    this.opened ??= this.claim()
    return this.opened
  }

  /** Sends tokens; those the reader has already are dropped there. Never waits: `confirm` makes sure. */
  send(tokens: TokenOut[]): void {
    for (const token of tokens) (this.sent[token.choice] ??= [])[token.index] = token
    this.publish(tokens)
  }

  /** Returns when the reader has everything that was sent. */
  async confirm(): Promise<void> {
    let last = -1
    while (true) {
      const missing = this.missing(await this.claim())
      if (missing.length === 0) return
      if (missing.length === last) await sleep(this.options.clock, 20, this.options.signal)
      last = missing.length
      for (let i = 0; i < missing.length; i += RESEND_TOKENS) this.publish(missing.slice(i, i + RESEND_TOKENS))
    }
  }

  /** After a reconnect: what was sent into the outage is sent again. */
  async resend(): Promise<void> {
    if (this.opened === undefined) return
    const missing = this.missing(await this.claim())
    for (let i = 0; i < missing.length; i += RESEND_TOKENS) this.publish(missing.slice(i, i + RESEND_TOKENS))
  }

  private missing(shown: number[][]): TokenOut[] {
    return this.sent.flatMap((tokens, choice) => tokens.filter((t) => t !== undefined && t.index >= (shown[choice]?.length ?? 0)))
  }

  private publish(tokens: TokenOut[]): void {
    const { bus, gateway, id, attempt } = this.options
    if (tokens.length > 0) bus.publish(subjects.tokens(gateway, id), JSON.stringify({ attempt, tokens } satisfies TokenMessage))
  }

  private async claim(): Promise<number[][]> {
    const { bus, clock, gateway, id, attempt, signal } = this.options
    const body: ClaimRequest = { id, attempt }
    while (true) {
      try {
        const message = await bus.request(subjects.claim(gateway), JSON.stringify(body), { timeoutMs: TRY_MS, signal })
        this.watch.answered()
        const reply = message.json<ClaimReply>()
        if (reply.status === 'ok') return reply.shown
        if (reply.status === 'unknown') throw new VolleyError('gateway_gone', `The gateway ${gateway} does not know request ${id}`)
        throw new LookNow(id, reply.status)
      } catch (error) {
        const passing = isVolleyError(error, 'no_responders') || isVolleyError(error, 'bus_timeout')
        if (!passing || signal.aborted) throw error
        if (await this.watch.isGone()) throw new VolleyError('gateway_gone', `The gateway ${gateway} of request ${id} is gone`)
        await sleep(clock, 50, signal)
      }
    }
  }
}
