/**
 * Pulls within one process: the receiver gets the owner's very bytes. Planes of this process find each other here.
 * @module
 */
import { newId } from '../ids.ts'
import { refusedError } from './failure.ts'
import type { Credentials, Offers } from './offers.ts'

/** Names this thread's memory in tickets: another process, or another thread, has another key. */
export const PROCESS_KEY: string = newId('proc')

const planes = new Map<string, Offers>()

/** Makes a plane's offers findable; the returned function ends that. */
export function announce(owner: string, offers: Offers): () => void {
  planes.set(owner, offers)
  return () => {
    if (planes.get(owner) === offers) planes.delete(owner)
  }
}

/** The owner's offers, when they are in this process. */
export const localOffers = (owner: string): Offers | undefined => planes.get(owner)

/** No copy is made. Errors: `transfer_failed`; the signal's reason. */
export async function pullMemory(
  owner: string,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<{ bytes: Uint8Array; digest: string }> {
  const answer = await (localOffers(owner)?.open(credentials, signal) ?? 'gone')
  signal.throwIfAborted()
  if (typeof answer === 'string') throw refusedError(answer)
  answer.sent()
  return { bytes: answer.bytes, digest: answer.digest }
}
