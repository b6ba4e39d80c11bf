/**
 * Static: fixed labels. Prefill goes to the least predicted wait among those labelled prefill, decode to the fewest
 * tokens among those labelled decode; unlabelled instances take anything. Where only one instance could decode and it
 * is the one that prefills, KV stays.
 * @module
 */
import { candidates, carries, least } from './candidates.ts'
import type { Policy } from './policy.ts'

export const staticPolicy: Policy = {
  name: 'static',
  initial: {},
  onArrival(view, request) {
    const able = candidates(view, request)
    if (request.slots === 'other') return least(able, (i) => [i.prefillWaitMs, i.decodeTokens], 'least busy')
    const fitting = able.filter((i) => carries(i, 'prefill'))
    const decision = least(fitting, (i) => [i.prefillWaitMs, i.decodeTokens], 'least wait for prefill')
    const decoders = view.instances.filter((i) => i.label !== 'prefill')
    const alone = decoders.length === 1 && decoders[0]!.id === decision.instance
    return alone ? { ...decision, decodeHere: true, reason: 'the only one that decodes, too' } : decision
  },
  onFirstToken(view, request) {
    const fitting = candidates(view, request).filter((i) => carries(i, 'decode'))
    return least(fitting, (i) => [i.decodeTokens, i.prefillWaitMs], 'fewest tokens in decode')
  },
}
