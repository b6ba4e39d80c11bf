/**
 * Static: fixed labels. Prefill goes to the least busy instance labelled prefill, decode to the least busy labelled decode;
 * unlabelled instances take anything. Where only one instance could decode and it is the one that prefills, KV stays.
 * @module
 */
import { candidates, least, loadOf } from './candidates.ts'
import type { InstanceView, PlaceRequest, Policy } from './policy.ts'

/** The label a phase asks for; phases of the user's own go anywhere. */
function fits(instance: InstanceView, request: PlaceRequest): boolean {
  if (instance.label === undefined || request.slots === 'other') return true
  return instance.label === request.slots
}

export const staticPolicy: Policy = {
  name: 'static',
  place(view, request) {
    const fitting = candidates(view, request).filter((i) => fits(i, request))
    if (request.phase !== 'prefill') return least(fitting, loadOf, `least busy for ${request.slots}`)
    const decision = least(fitting, loadOf, 'least busy for prefill')
    const decoders = view.instances.filter((i) => i.model === request.model && i.label !== 'prefill')
    const alone = decoders.length === 1 && decoders[0]!.id === decision.instance
    return alone ? { ...decision, decodeHere: true, reason: 'the only one that decodes, too' } : decision
  },
}
