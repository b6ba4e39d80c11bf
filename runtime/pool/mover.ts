/**
 * How an instance's actors move bytes: an offer makes a ticket that travels in the request's context, a pull redeems it.
 * @module
 */
import type { JsonObject } from '../json.ts'
import type { TransferSource } from '../transfer/plane.ts'

export interface Mover {
  /** Offers what this instance holds under a name; the ticket is bound to the request and the attempt that offered it. */
  offer(hold: string, source: TransferSource, owner: { id: string; attempt: number }): JsonObject
  /**
   * Fetches what a ticket stands for. Its bytes are good until `recycle` is called, which is to be done as soon as they
   * have been read: their memory serves the next pull. Errors: `transfer_failed` (gone, refused, broken), `cancelled`.
   */
  pull(
    ticket: JsonObject,
    options: {
      attempt: number
      signal: AbortSignal
      timeoutMs: number
      /** By any way that works, also where one is forced: for what a gateway offers. @default {false} */
      anyWay?: boolean
    },
  ): Promise<{ bytes: Uint8Array; digest: string; mode: string; recycle(): void }>
}
