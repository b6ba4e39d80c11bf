/**
 * References to a prompt's KV, as they travel in a request's context.
 * @module
 */
import type { HoldInfo } from '../runtime/engine/engine.ts'
import type { JsonObject } from '../runtime/json.ts'
import type { EncoderRef, KvRef } from '../runtime/machine/generate.ts'

interface InstanceName {
  id: string
  incarnation: string
}

/** `encoder`: what encoded the pictures in it; `ticket`: for whoever moves it. */
export function kvRef(
  info: HoldInfo,
  { id, incarnation }: InstanceName,
  { encoder, ticket }: { encoder: EncoderRef | null; ticket: JsonObject | null },
): KvRef {
  const { hold, tokens, bytes, blocks, numerics } = info
  return { instance: id, incarnation, hold, tokens, bytes, blocks, numerics, encoder, ticket }
}

/** Whether what is held is on this very life of this instance. */
export const isHere = (held: Pick<KvRef, 'instance' | 'incarnation'>, { id, incarnation }: InstanceName): boolean =>
  held.instance === id && held.incarnation === incarnation
