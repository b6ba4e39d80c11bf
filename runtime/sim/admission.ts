/**
 * How decodes get in: those that stay reserve their output where they are; the others are pulled one at a time, in
 * order, once there is room for all of them. And how memory is given back.
 * @module
 */
import type { SimInstance, SimRequest } from './instance.ts'

/** Bytes that moving a request's KV takes. */
export const kvBytes = (request: SimRequest): number => request.input * request.holder!.truth.kvBytesPerToken

/** Gives a request the instance that will decode it. */
export function assignDecode(request: SimRequest, target: SimInstance): void {
  request.target = target
  target.decodes++
  target.decodeTokens += request.input + request.redo + 1
  if (request.holder === target) target.staying.push(request)
  else target.inbox.push(request)
}

/** Those that stay and have got room for their output: they are in the batch from the next iteration on. */
export function admitStaying(instance: SimInstance): SimRequest[] {
  const admitted: SimRequest[] = []
  for (let next = instance.staying.peek(); next; next = instance.staying.peek()) {
    const missing = instance.growing ? 0 : next.input + next.output - next.reserved
    if (missing > 0 && !instance.reserve(next, missing)) break
    instance.staying.shift()
    instance.entering.push(next)
    admitted.push(next)
  }
  return admitted
}

/** Takes the next request to be pulled, if there is one and room for it. */
export function startTransfer(instance: SimInstance): SimRequest | undefined {
  const next = instance.inbox.peek()
  if (next === undefined || instance.incoming !== undefined || instance.down) return undefined
  const needed = next.input + next.output
  if (instance.kvUsed + needed > instance.truth.kvTokens) return undefined
  instance.kvUsed += needed
  instance.inbox.shift()
  instance.incoming = next
  return next
}

/** The pulled KV is here: the sender's memory is free again. Returns the sender. */
export function endTransfer(instance: SimInstance): { request: SimRequest; sender: SimInstance } {
  const request = instance.incoming!
  const sender = request.holder!
  instance.incoming = undefined
  request.movedBytes += kvBytes(request)
  sender.kvUsed -= request.reserved
  request.holder = instance
  request.heldIn = instance.life
  request.reserved = request.input + request.output
  instance.entering.push(request)
  return { request, sender }
}

/** Frees what is held for a request. */
export function release(request: SimRequest): void {
  if (request.holder) {
    request.holder.kvUsed -= request.reserved
    if (request.here) request.holder.seated--
  }
  request.holder = undefined
  request.reserved = 0
}

/** A decode has ended: it is off its instance's books. */
export function endDecode(request: SimRequest): void {
  const target = request.target!
  target.decodes--
  target.decodeTokens -= request.input + request.output
  // What it has grown by; its last token's KV is never made.
  if (target.growing) request.reserved = request.input + request.output - 1
  release(request)
}

/** Takes a waiting decode back: its KV is given up, it must be prefilled again. */
export function preempt(request: SimRequest): void {
  const target = request.target!
  target.decodes--
  target.decodeTokens -= request.input + 1
  if (request.holder === target) target.staying.remove(request)
  else target.inbox.remove(request)
  request.target = undefined
  request.done = 0
  request.decodeAt = undefined
  release(request)
}
