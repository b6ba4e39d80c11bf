/**
 * What the encode phase works with on an instance that sees: tiles begun here, and tiles begun elsewhere.
 * @module
 */
import type { VisionInfo } from '../engine/engine.ts'
import type { EncodedPart, EncodePart } from '../wire/encode.ts'

/** Tiles that wait on one instance: enough to keep its engine busy, few enough to leave the rest to others. */
export const MAX_WAITING_TILES = 32

export interface Encoder {
  readonly vision: VisionInfo
  /** Whether more tiles would be begun soon, and their vectors find room; however many they are, or large requests would starve. */
  hasRoom(): boolean
  /** Offers the vectors at once and makes them behind the ticket; they are held here for the request under a lease. */
  begin(part: EncodePart): EncodedPart
  /** Has another instance begin them; undefined = it would not, or did not answer in time, and keeps nothing. */
  ask(instance: string, part: EncodePart, signal: AbortSignal): Promise<EncodedPart | undefined>
}
