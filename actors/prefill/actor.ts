/**
 * Prefill: prompt to KV, and each choice's first token, which is shown at once.
 * @module
 */
import type { LlmContext } from '../../runtime/machine/generate.ts'
import type { TokenOut } from '../../runtime/engine/engine.ts'
import { type Actor, defineActor } from '../../runtime/pool/actor.ts'
import { choicesOf, samplingOf } from '../request.ts'
import { kvRef } from '../kv.ts'
import { whenRoom } from '../room.ts'

export const prefill: Actor = defineActor<LlmContext>({
  name: 'prefill',
  slots: 'prefill',
  accepts: (context, { decodeHere }, { engine, holds }) => {
    // Prompts that wait for room to decode take half the memory at most, or none could ever get that room.
    const waiting = holds.waitingTokens
    const { blocksTotal, blockTokens } = engine.info
    if (waiting > 0 && waiting + context.promptTokens > (blocksTotal * blockTokens) / 2) return false
    const output = decodeHere ? samplingOf(context).maxTokens * context.n : 0
    return engine.hasRoom(context.promptTokens + output)
  },
  tokensOf: (context) => context.promptTokens,
  async run({ id, attempt, context, params, decodeHere, decodeAt, instance, signal, reader, services, clock }) {
    const { engine, holds, inputs } = services
    const startedAt = clock.monotonic()
    const sampling = samplingOf(context)
    const hold = `${id}.${attempt}`
    const tokens = await inputs.resolve(context.prompt)
    const show = params['show'] !== false
    // The claim travels while the prompt is computed.
    const claimed = show ? reader.open() : undefined
    claimed?.catch(() => undefined)
    const { hold: info, first, cachedTokens, computeMs } = await whenRoom(clock, signal, Infinity, () =>
      engine.prefill({ hold, tokens, sampling, choices: context.n }, signal))
    holds.keep(hold, id, attempt, info.tokens)
    await claimed
    const choices = choicesOf(context, services)
    const opening = first.flatMap((token) => choices.add(token) ?? [])
    if (show) reader.send(opening)
    const actualMs = Math.round((clock.monotonic() - startedAt) * 1000) / 1000
    const report = { promptTokens: tokens.length, cachedTokens, computeMs: Math.round(computeMs * 1000) / 1000, actualMs }
    if (choices.open().length === 0) {
      if (show) await reader.confirm()
      holds.release(hold)
      return { type: 'FINISHED', generated: choices.counts(), ...(show ? {} : { output: choices.output() }), report }
    }
    const kv = kvRef(info, instance, decodeHere ? null : services.transfer.offer(info, { id, attempt }))
    return { type: 'PREFILLED', kv, decodeHere, decodeAt, firstAtMs: clock.now(), first: first.map(asData), report: { ...report, kvBytes: info.bytes } }
  },
})

const asData = (token: TokenOut) => ({ ...token })
