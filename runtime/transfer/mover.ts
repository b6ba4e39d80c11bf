/**
 * What an instance moves bytes with, over its transfer plane: offers under names of its own, which live as long as what
 * they stand for is held here, and pulls of what others offer.
 * @module
 */
import type { JsonObject } from '../json.ts'
import { brokenError } from './failure.ts'
import type { Pulled, Ticket, TransferMode, TransferPlane, TransferSource } from './plane.ts'

export interface MoverOptions {
  plane: TransferPlane
  /** The only modes to use between instances. @default all, by locality */
  modes?: readonly TransferMode[]
  /** Somebody pulls what a request holds here: its lease is to be renewed. */
  onPull?: (request: string) => void
}

export interface PlaneMover {
  /** Offers what is held here under a name; the ticket is bound to the request and the attempt that offered it. */
  offer(hold: string, source: TransferSource, owner: { id: string; attempt: number }): JsonObject
  /** Errors: `transfer_failed` (gone, refused, broken, no ticket at all), `cancelled`. */
  pull(ticket: JsonObject, options: MoverPull): Promise<Pulled>
  /** What was offered under this name is not held any more. */
  forget(hold: string): void
}

interface MoverPull {
  attempt: number
  signal: AbortSignal
  timeoutMs: number
  /** By any mode that works, also where one is forced: for what a gateway offers. @default {false} */
  anyWay?: boolean
}

export function planeMover({ plane, modes, onPull }: MoverOptions): PlaneMover {
  const tickets = new Map<string, Ticket>()
  return {
    offer(hold, source, { id, attempt }) {
      const ticket = plane.offer(source, {
        id,
        attempt,
        leaseMs: Infinity,
        onRedeem: () => onPull?.(id),
        onEnd: () => tickets.get(hold)?.offer === ticket.offer && tickets.delete(hold),
      })
      const before = tickets.get(hold)
      tickets.set(hold, ticket)
      if (before) plane.release(before)
      return ticket as unknown as JsonObject
    },
    async pull(json, { anyWay = false, ...options }) {
      return await plane.pull(parseTicket(json), { ...options, ...(modes && !anyWay ? { modes } : {}) })
    },
    forget(hold) {
      const ticket = tickets.get(hold)
      if (ticket) plane.release(ticket)
    },
  }
}

/** A ticket that came in a hop. Error: `transfer_failed` when it is none. */
function parseTicket(json: JsonObject): Ticket {
  const { offer, secret, owner, incarnation, bytes, addresses } = json
  const texts = [offer, secret, owner, incarnation].every((value) => typeof value === 'string')
  const valid = texts && Number.isSafeInteger(bytes) && typeof addresses === 'object' && addresses !== null
  if (!valid) throw brokenError('what came is not a ticket')
  return json as unknown as Ticket
}
