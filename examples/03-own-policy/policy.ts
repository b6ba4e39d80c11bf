/**
 * A policy of one's own: long prompts have an instance to themselves, so that a short question never waits behind one.
 * The same file decides in a cluster and in the simulator:
 *
 *     npm run -s volley -- serve --instances 3 --policy examples/03-own-policy/policy.ts
 *     npm run -s volley -- sim --trace synthetic:inverting-a --policy examples/03-own-policy/policy.ts,least-load
 *
 * A policy is pure: it sees a view and answers; what it wants to remember it hands back as `state`.
 */
import { candidates, type ClusterView, type InstanceView, least, type Policy, prefillMs } from '../../mod.ts'

/** Prompts from here on are long. */
const LONG_TOKENS = 1_000

/** Time until a prompt's first token there, as the instance's own measurements predict it. */
const ttftMs = (tokens: number) => (i: InstanceView): number => i.prefillWaitMs + prefillMs(i.profile, tokens)

/** The last instance by name takes the long prompts, where there is more than one. */
function isForLong({ instances }: ClusterView, { id }: InstanceView): boolean {
  return instances.length > 1 && instances.every((other) => other.id <= id)
}

const shortFirst: Policy = {
  name: 'short-first',
  initial: {},

  onArrival(view, request) {
    const able = candidates(view, request)
    const isLong = request.promptTokens >= LONG_TOKENS
    const own = able.filter((i) => isForLong(view, i) === isLong)
    // Nobody of the right kind is free: better the other kind than to wait.
    const among = own.length > 0 ? own : able
    return least(among, ttftMs(request.promptTokens), isLong ? 'long: kept apart' : 'short: least predicted TTFT')
  },

  /** Decodes go to the fewest tokens, wherever that is. */
  onFirstToken: (view, request) => least(candidates(view, request), (i) => i.decodeTokens, 'fewest tokens in decode'),
}

export default shortFirst
