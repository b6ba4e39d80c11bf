/**
 * Transfer: runs where the decode was placed and pulls the prompt's KV there. Where it already is, no byte moves; where it
 * is gone or came broken, the prompt is prefilled again.
 * @module
 */
import { isVolleyError } from '../../runtime/errors.ts'
import type { LlmContext } from '../../runtime/machine/generate.ts'
import { type Actor, defineActor } from '../../runtime/pool/actor.ts'
import { isHere, kvRef } from '../kv.ts'
import { marksOf } from '../pictures.ts'
import { samplingOf } from '../request.ts'
import { PATIENCE_MS, whenRoom } from '../room.ts'

/** Longest time one pull may take before the prompt is computed again instead. */
const PULL_TIMEOUT_MS = 60_000

export const transfer: Actor = defineActor<LlmContext>({
  name: 'transfer',
  slots: 'decode',
  accepts: (context, _, { engine, holds }) => {
    const output = samplingOf(context).maxTokens * context.n
    const resident = context.kv !== null && holds.has(context.kv.hold)
    return engine.hasRoom(resident ? output : context.promptTokens + output)
  },
  // Where it is resident already it is counted twice for the length of this hop: on the safe side.
  tokensOf: (context) => context.promptTokens,
  async run({ id, attempt, context, instance, signal, services, clock }) {
    const { engine, holds, inputs } = services
    const { kv } = context
    if (kv === null) return { type: 'KV_LOST', report: { reason: 'no KV' } }
    if (isHere(kv, instance)) {
      return holds.has(kv.hold) ? { type: 'LOCAL', report: { kvBytes: 0 } } : { type: 'KV_LOST', report: { reason: 'lease ended' } }
    }
    const startedAt = clock.monotonic()
    const hold = `${id}.${attempt}`
    const info = { hold, tokens: kv.tokens, bytes: kv.bytes, blocks: kv.blocks, numerics: kv.numerics }
    try {
      const pulled = await services.transfer.pull(kv.ticket!, { attempt, signal, timeoutMs: PULL_TIMEOUT_MS })
      try {
        const tokenIds = await inputs.resolve(context.prompt)
        const content = { tokenIds, ...(kv.encoder ? { given: marksOf(context.images, kv.encoder) } : {}) }
        await whenRoom(clock, signal, PATIENCE_MS, () => engine.importHold({ ...info, ...content }, pulled.bytes, pulled.digest))
      } finally {
        pulled.recycle()
      }
      holds.keep(hold, id, attempt, info.tokens)
      const report = { kvBytes: kv.bytes, mode: pulled.mode, moveMs: Math.round((clock.monotonic() - startedAt) * 1000) / 1000 }
      return { type: 'TRANSFERRED', kv: kvRef(info, instance, { encoder: kv.encoder, ticket: null }), report }
    } catch (error) {
      const lost = isVolleyError(error, 'transfer_failed') || isVolleyError(error, 'kv_lost') || isVolleyError(error, 'kv_exhausted')
      if (!lost) throw error
      return { type: 'KV_LOST', report: { reason: error.message } }
    }
  },
})
