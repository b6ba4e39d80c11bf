/**
 * KV of an engine over the transfer plane: offers its holds, exported at the first pull and not before, and pulls those
 * of others. The hold's own lease governs: the offer lives as long as the hold.
 * @module
 */
import type { Engine, HoldInfo } from '../engine/engine.ts'
import type { JsonObject } from '../json.ts'
import { brokenError } from './failure.ts'
import type { Pulled, Ticket, TransferMode, TransferPlane } from './plane.ts'

export interface EngineMoverOptions {
  plane: TransferPlane
  engine: Pick<Engine, 'exportHold'>
  /** The only modes to use. @default all, by locality */
  modes?: readonly TransferMode[]
  /** Somebody pulls what a request holds here: its lease is to be renewed. */
  onPull?: (request: string) => void
}

/** What an instance's actors move KV with. */
export interface EngineMover {
  /** Offers a hold of this instance; the ticket is bound to the request and the attempt that offered it. */
  offer(info: HoldInfo, owner: { id: string; attempt: number }): JsonObject
  /** Errors: `transfer_failed` (gone, refused, broken, no ticket at all), `cancelled`. */
  pull(ticket: JsonObject, options: { attempt: number; signal: AbortSignal; timeoutMs: number }): Promise<Pulled>
  /** The hold is gone: so is its offer. */
  forget(hold: string): void
}

export function engineMover({ plane, engine, modes, onPull }: EngineMoverOptions): EngineMover {
  const tickets = new Map<string, Ticket>()
  return {
    offer({ hold, bytes }, { id, attempt }) {
      const ticket = plane.offer({ bytes, read: () => engine.exportHold(hold) }, {
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
    async pull(json, options) {
      return await plane.pull(parseTicket(json), { ...options, ...(modes ? { modes } : {}) })
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
