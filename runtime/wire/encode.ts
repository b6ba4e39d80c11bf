/**
 * What one instance says to another that is to encode some of a request's tiles for it.
 * @module
 */
import type { EmbedsRef, PictureRef } from '../machine/generate.ts'

/** Consecutive tiles of a request's pictures; they count on from picture to picture. */
export interface EncodePart {
  id: string
  /** Of the claim that asks. */
  attempt: number
  pictures: PictureRef[]
  from: number
  tiles: number
}

/** Name of the hold with a part's vectors: whoever asks for a part can also have it freed. */
export const holdOfPart = ({ id, attempt, from }: EncodePart): string => `${id}.${attempt}.t${from}`

/** Body of a request to `volley.v1.enc.<instance>`. */
export interface EncodeRequest extends EncodePart {
  /** What the vectors' bits must depend on besides the pictures: an instance that encodes otherwise refuses. */
  numerics: string
}

/** `ok`: they are being made, or there already. */
export type EncodeReply = ({ status: 'ok' } & EncodedPart) | { status: 'refused'; reason: 'full' | 'draining' | 'otherNumerics' }

export interface EncodedPart {
  embeds: EmbedsRef
  /** How many of its tiles were found in a cache. */
  cached: number
}
