/**
 * The transfer port: bytes that one instance holds and another pulls, past the bus. An offer makes a ticket, small
 * enough to travel in a hop; whoever has the ticket may pull. Knows nothing of what the bytes mean.
 * @module
 */

/** How bytes move, fastest first. `memory`: within one process; `unix`: within one host; `nats`: needs no port. */
export type TransferMode = 'memory' | 'unix' | 'tcp' | 'nats'

/** Every mode, in the order that `auto` tries them. */
export const TRANSFER_MODES: readonly TransferMode[] = ['memory', 'unix', 'tcp', 'nats']

/** What is offered. Nothing is read before the first pull. */
export interface TransferSource {
  /** Exact size of what `read` will bring. */
  bytes: number
  /**
   * Where the bytes are still in the making: settles when they can be read, or never will. A pull waits for it before it
   * takes its turn among those that are served.
   */
  ready?: Promise<unknown>
  /** Brings the bytes and a digest over them. Called once; kept until the offer ends. Best on a SharedArrayBuffer. */
  read(): Promise<{ bytes: Uint8Array; digest: string }>
}

export interface OfferOptions {
  /** Request that the bytes belong to. */
  id: string
  /** The attempt that made them; lower ones cannot redeem. */
  attempt: number
  /** The offer ends after this, unless renewed or being read. `Infinity`: only `complete` or `release` end it. */
  leaseMs: number
  /**
   * Whoever has the ticket may pull, also several at once, whatever their attempt; `complete` is not counted.
   *
   * @default {false}
   */
  shared?: boolean
  /** Somebody has begun to pull: whoever keeps the source under a lease of its own renews it here. */
  onRedeem?: () => void
  /** Once, when the offer has ended, whatever way. */
  onEnd?: (how: 'completed' | 'expired' | 'aborted') => void
}

/** A one-time, unguessable reference to offered bytes. Plain JSON. */
export interface Ticket {
  /** Names the offer at its owner. */
  offer: string
  /** Request it is bound to. */
  request: string
  attempt: number
  /** Instance that holds the bytes, and which life of it. */
  owner: string
  incarnation: string
  secret: string
  bytes: number
  /** Machine the owner runs on: a loopback address is good there only. */
  host: string
  addresses: TicketAddresses
}

export interface TicketAddresses {
  /** Key of the owner's process. */
  memory?: string
  /** Path of a socket. */
  unix?: string
  /** `HOST:PORT`. */
  tcp?: string
  /** Subject that answers on the bus. */
  nats?: string
}

export interface PullOptions {
  /** The puller's attempt: a higher one may redeem again and aborts the lower. */
  attempt: number
  timeoutMs: number
  signal?: AbortSignal
  /**
   * The only modes to use, in this order.
   *
   * @default all, by locality
   */
  modes?: readonly TransferMode[]
}

export interface Pulled {
  /** Shared with the owner when `mode` is `memory`: read, never write. */
  bytes: Uint8Array
  digest: string
  mode: TransferMode
  ms: number
  /** Optional: says that `bytes` will not be touched again, so that the next pull may use their memory. */
  recycle(): void
}

/** An offer of this plane that has not ended. */
export interface HeldOffer {
  offer: string
  request: string
  state: 'offered' | 'admitted' | 'reading' | 'verifying'
  /** Last attempt that redeemed it, else the one that made it. */
  attempt: number
  /** Bytes in memory for it now: 0 before the first pull. */
  residentBytes: number
  /** Time left; `Infinity` where there is no lease. */
  leaseMs: number
}

export interface TransferPlane {
  offer(source: TransferSource, options: OfferOptions): Ticket
  /** Errors: `transfer_failed` (gone, refused, broken, too slow), `cancelled`. */
  pull(ticket: Ticket, options: PullOptions): Promise<Pulled>
  /** Starts the lease again. False: no such offer now, or a higher attempt has redeemed it. */
  renew(ticket: Ticket, attempt: number): Promise<boolean>
  /**
   * The bytes are safe elsewhere: the owner frees them. Counts only with the last redeemer's attempt. False: not
   * counted, or not heard.
   */
  complete(ticket: Ticket, attempt: number): Promise<boolean>
  /** Owner only: ends an offer at once; a pull under way fails. Unknown ones are fine. */
  release(ticket: Ticket): void
  held(): HeldOffer[]
  close(): Promise<void>
}
