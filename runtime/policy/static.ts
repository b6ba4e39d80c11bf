/**
 * Static: fixed labels. Prefill goes to the least predicted wait among those labelled prefill, decode to the fewest
 * tokens among those labelled decode; unlabelled instances take anything. Where only one instance could decode and it
 * is the one that prefills, KV stays.
 * @module
 */
import { anyPhase, candidates, carries, least, waitMs } from './candidates.ts'
import type { Policy } from './policy.ts'

export const staticPolicy: Policy = {
  name: 'static',
  initial: {},
  onArrival(view, request) {
    const able = candidates(view, request)
    if (request.slots === 'other') return anyPhase(view, request)
    const fitting = able.filter((i) => carries(i, 'prefill'))
    const decision = least(fitting, (i) => [waitMs(i), i.decodeTokens], 'least wait for prefill')
    const decoders = view.instances.filter((i) => carries(i, 'decode'))
    const alone = decoders.length === 1 && decoders[0]!.id === decision.instance
    const chosen = fitting.find((i) => i.id === decision.instance)
    if (chosen?.label === 'prefill+decode') {
      return { ...decision, decodeHere: true, reason: 'least wait, decodes there too' }
    }
    return alone ? { ...decision, decodeHere: true, reason: 'the only one that decodes, too' } : decision
  },
  onFirstToken(view, request) {
    const fitting = candidates(view, request).filter((i) => carries(i, 'decode'))
    return least(fitting, (i) => [i.decodeTokens, waitMs(i)], 'fewest tokens in decode')
  },
}
