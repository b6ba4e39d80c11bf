/**
 * Held KV can deadlock: instances full of prompts that wait for room in each other. Finds the decode that has waited
 * longest among those that nothing running will ever make room for, and who must give up KV for it.
 * @module
 */
import type { SimInstance, SimRequest } from './instance.ts'

/** Instances on which nothing can proceed and none of whose memory will be freed by others. */
function stuck(instances: readonly SimInstance[]): Set<SimInstance> {
  const moving = instances.filter((i) =>
    i.iterating || i.running.size + i.entering.size > 0 || i.incoming !== undefined || i.down
  )
  const live = new Set(moving)
  // Whoever sends to one that moves will be freed in time.
  for (const instance of live) {
    if (instance.incoming?.holder) live.add(instance.incoming.holder)
    for (const request of instance.inbox) live.add(request.holder!)
  }
  return new Set(instances.filter((i) => !live.has(i) && i.staying.size + i.inbox.size + i.queue.size > 0))
}

/** Who must be preempted, youngest first, so that one decode can go on; empty when nothing is stuck. */
export function victims(instances: readonly SimInstance[]): SimRequest[] {
  const dead = stuck(instances)
  if (dead.size === 0) return []
  const waiting = [...dead].flatMap((i) => [...i.staying, ...i.inbox])
  const heads = [...dead].flatMap((i) => [i.staying.peek(), i.inbox.peek()].filter((r) => r !== undefined))
  const first = heads.reduce<SimRequest | undefined>((a, b) => (a === undefined || b.id < a.id ? b : a), undefined)
  if (first === undefined) return []
  const target = first.target!
  let missing = first.input + first.output - (first.holder === target ? first.reserved : 0) - target.kvTokensFree
  const chosen: SimRequest[] = []
  const held = waiting.filter((r) => r.holder === target && r !== first).sort((a, b) => b.id - a.id)
  for (const request of held) {
    if (missing <= 0) break
    missing -= request.reserved
    chosen.push(request)
  }
  return chosen
}
