/**
 * How an instance's actors move KV: an offer makes a ticket that travels in the request's context, a pull redeems it.
 * @module
 */
import type { HoldInfo } from '../engine/engine.ts'
import type { JsonObject } from '../json.ts'

export interface Mover {
  /** Offers a hold of this instance; the ticket is bound to the request and the attempt that offered it. */
  offer(info: HoldInfo, owner: { id: string; attempt: number }): JsonObject
  /**
   * Fetches what a ticket stands for. Its bytes are good until `recycle` is called, which is to be done as soon as they
   * have been read: their memory serves the next pull. Errors: `transfer_failed` (gone, refused, broken), `cancelled`.
   */
  pull(
    ticket: JsonObject,
    options: { attempt: number; signal: AbortSignal; timeoutMs: number },
  ): Promise<{ bytes: Uint8Array; digest: string; mode: string; recycle(): void }>
}
