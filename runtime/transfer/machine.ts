/**
 * The life of one offer as a pure reducer: offered, admitted, reading, verifying, then completed, expired or aborted.
 * Who may read is decided here and nowhere else: the highest attempt, one reader at a time; a shared offer, whoever has
 * its ticket, as often as they like.
 * @module
 */

/** An offer that lives. `reader` names the one pull that is served; `redeemer` the last attempt that pulled. */
export interface LiveTransfer {
  state: 'offered' | 'admitted' | 'reading' | 'verifying'
  /** Attempts below this cannot redeem. */
  attempt: number
  redeemer: number | undefined
  reader: number | undefined
  /** Pulls under way of a shared offer; undefined = it is not shared. */
  readers: number | undefined
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
export const offered = (attempt: number, leaseUntilMs: number, shared = false): LiveTransfer => ({
  state: 'offered',
  attempt,
  redeemer: undefined,
  reader: undefined,
  readers: shared ? 0 : undefined,
  leaseUntilMs,
})

export const isLive = (state: TransferState): state is LiveTransfer => 'leaseUntilMs' in state

/** Bytes that are being handed out are not taken away by the end of a lease. */
export const isPinned = ({ state }: TransferState): boolean => state === 'admitted' || state === 'reading'

/** What an event makes of an offer. */
export function transfer(current: TransferState, event: TransferEvent): TransferStep {
  if (!isLive(current)) return refuse(current)
  if (current.readers !== undefined) return sharedTransfer(current, current.readers, event)
  switch (event.type) {
    case 'REDEEM': {
      if (event.attempt < current.attempt) return refuse(current)
      const { attempt, reader, leaseUntilMs } = event
      const next: LiveTransfer = { ...current, state: 'admitted', attempt, redeemer: attempt, reader, leaseUntilMs }
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

/** The same for a shared offer: readers come and go, attempts do not count, and no reader's word ends it. */
function sharedTransfer(current: LiveTransfer, readers: number, event: TransferEvent): TransferStep {
  const read = (left: number, more: Partial<LiveTransfer> = {}): TransferStep => ({
    next: { ...current, ...more, state: left > 0 ? 'reading' : 'offered', readers: left },
    effects: [],
    refused: false,
  })
  switch (event.type) {
    case 'REDEEM':
      return read(readers + 1, { leaseUntilMs: event.leaseUntilMs })
    case 'READ':
      return readers > 0 ? read(readers) : refuse(current)
    case 'SENT':
    case 'FAILED':
      return readers > 0 ? read(readers - 1) : refuse(current)
    case 'COMPLETED':
      return refuse(current)
    case 'RENEWED':
      return read(readers, { leaseUntilMs: event.leaseUntilMs })
    case 'TICK':
      return event.nowMs >= current.leaseUntilMs && readers === 0 ? end(current, 'expired') : refuse(current)
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
