/**
 * The life of one offer as a pure reducer: offered, admitted, reading, verifying, then completed, expired or aborted.
 * Who may read is decided here and nowhere else: the highest attempt, one reader at a time.
 * @module
 */

/** An offer that lives. `reader` names the one pull that is served; `redeemer` the last attempt that pulled. */
export interface LiveTransfer {
  state: 'offered' | 'admitted' | 'reading' | 'verifying'
  /** Attempts below this cannot redeem. */
  attempt: number
  redeemer: number | undefined
  reader: number | undefined
  /** Monotonic. */
  leaseUntilMs: number
}

export interface EndedTransfer {
  state: 'completed' | 'expired' | 'aborted'
}

export type TransferState = LiveTransfer | EndedTransfer

export type TransferEvent =
  /** Somebody shows the ticket. */
  | { type: 'REDEEM'; attempt: number; reader: number; leaseUntilMs: number }
  /** The bytes are in memory and go out now. */
  | { type: 'READ'; reader: number }
  /** All bytes have gone out. */
  | { type: 'SENT'; reader: number }
  /** The reader is gone, too slow or broken. */
  | { type: 'FAILED'; reader: number }
  | { type: 'COMPLETED'; attempt: number }
  | { type: 'RENEWED'; attempt: number; leaseUntilMs: number }
  | { type: 'TICK'; nowMs: number }
  | { type: 'RELEASED' }

export type TransferEffect =
  /** End this pull: its attempt is no longer the highest, or the offer has ended. */
  | { kind: 'abort'; reader: number }
  /** Let the bytes go. */
  | { kind: 'free' }

export interface TransferStep {
  next: TransferState
  effects: TransferEffect[]
  /** The event was not allowed: nothing changed. */
  refused: boolean
}

/** A fresh offer. */
export const offered = (attempt: number, leaseUntilMs: number): LiveTransfer => ({
  state: 'offered',
  attempt,
  redeemer: undefined,
  reader: undefined,
  leaseUntilMs,
})

export const isLive = (state: TransferState): state is LiveTransfer => 'leaseUntilMs' in state

/** Bytes that are being handed out are not taken away by the end of a lease. */
export const isPinned = ({ state }: TransferState): boolean => state === 'admitted' || state === 'reading'

/** What an event makes of an offer. */
export function transfer(current: TransferState, event: TransferEvent): TransferStep {
  if (!isLive(current)) return refuse(current)
  switch (event.type) {
    case 'REDEEM': {
      if (event.attempt < current.attempt) return refuse(current)
      const { attempt, reader, leaseUntilMs } = event
      const next: LiveTransfer = { state: 'admitted', attempt, redeemer: attempt, reader, leaseUntilMs }
      return { next, effects: abortOf(current), refused: false }
    }
    case 'READ':
      return event.reader === current.reader && current.state === 'admitted' ? to(current, 'reading') : refuse(current)
    case 'SENT':
      return event.reader === current.reader && current.state === 'reading' ? to(current, 'verifying') : refuse(current)
    case 'FAILED':
      if (event.reader !== current.reader) return refuse(current)
      return { next: { ...current, state: 'offered', reader: undefined }, effects: [], refused: false }
    case 'COMPLETED':
      return event.attempt === current.redeemer ? end(current, 'completed') : refuse(current)
    case 'RENEWED':
      if (event.attempt < current.attempt) return refuse(current)
      return { next: { ...current, leaseUntilMs: event.leaseUntilMs }, effects: [], refused: false }
    case 'TICK':
      return event.nowMs >= current.leaseUntilMs && !isPinned(current) ? end(current, 'expired') : refuse(current)
    case 'RELEASED':
      return end(current, 'aborted')
  }
}

const refuse = (current: TransferState): TransferStep => ({ next: current, effects: [], refused: true })

const to = (current: LiveTransfer, state: LiveTransfer['state']): TransferStep => ({
  next: { ...current, state },
  effects: [],
  refused: false,
})

const abortOf = ({ reader }: LiveTransfer): TransferEffect[] => reader === undefined ? [] : [{ kind: 'abort', reader }]

const end = (current: LiveTransfer, state: EndedTransfer['state']): TransferStep => ({
  next: { state },
  effects: [...abortOf(current), { kind: 'free' }],
  refused: false,
})
