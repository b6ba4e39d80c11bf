/**
 * What an instance takes with it when it dies, by the rules of the production chart: a hop that was under lease there is
 * delivered again when the lease has run out; a request whose KV was there has lost it.
 * @module
 */
import type { EncodeJob, SimInstance, SimRequest } from './instance.ts'

/** Requests that a death concerns. */
export interface Bereaved {
  /** Their hop was there: it comes again after the lease. */
  leased: SimRequest[]
  /** Images that were to be encoded there: their hop, too. */
  jobs: EncodeJob[]
  /** Their hop is elsewhere, but their KV was there: that is seen at once. */
  robbed: SimRequest[]
}

/** Ends an instance's life. KV that others hold stays with them; what they were to fetch from here is given up. */
export function bury(dying: SimInstance, instances: readonly SimInstance[]): Bereaved {
  const { queue, jobs, entering, staying, inbox, running, incoming } = dying
  const arriving = incoming === undefined ? [] : [incoming]
  const decodes = [...entering, ...staying, ...running.drain(), ...inbox, ...arriving]
  const leased = [...queue, ...decodes]
  const robbed: SimRequest[] = []
  for (const other of instances) {
    if (other === dying) continue
    const lost = [...other.inbox].filter((request) => request.holder === dying)
    for (const request of lost) other.inbox.remove(request)
    if (other.incoming?.holder === dying) {
      lost.unshift(other.incoming)
      other.kvUsed -= other.incoming.input + other.incoming.output
      other.incoming = undefined
    }
    for (const request of lost) {
      other.decodes--
      other.decodeTokens -= request.input + 1
    }
    robbed.push(...lost)
  }
  for (const request of [...leased, ...robbed]) forget(request, dying)
  const lostJobs = [...jobs]
  dying.clear()
  dying.dead = true
  return { leased, robbed, jobs: lostJobs }
}

/** A request no longer knows an instance. */
export function forget(request: SimRequest, dying: SimInstance): void {
  if (request.holder === dying) {
    request.holder = undefined
    request.reserved = 0
    request.done = 0
  }
  request.target = undefined
  request.decodeAt = undefined
}
