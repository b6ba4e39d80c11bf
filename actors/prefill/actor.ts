/**
 * Prefill: prompt to KV, and each choice's first token, which is shown at once. Pictures' vectors are pulled meanwhile;
 * where they are lost, they are encoded again.
 * @module
 */
import { isVolleyError } from '../../runtime/errors.ts'
import type { LlmContext } from '../../runtime/machine/generate.ts'
import type { PrefillResult, TokenOut } from '../../runtime/engine/engine.ts'
import { type Actor, defineActor } from '../../runtime/pool/actor.ts'
import { choicesOf, samplingOf } from '../request.ts'
import { kvRef } from '../kv.ts'
import { whenRoom } from '../room.ts'
import { Arriving } from './arriving.ts'

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
  async run({ id, attempt, context, params, deadline, decodeHere, decodeAt, instance, signal, reader, waits, services, clock }) {
    const { engine, holds, inputs, transfer: mover } = services
    const startedAt = clock.monotonic()
    const sampling = samplingOf(context)
    const hold = `${id}.${attempt}`
    const tokens = await inputs.resolve(context.prompt)
    const show = params['show'] !== false
    // The claim travels while the prompt is computed.
    const claimed = show ? reader.open() : undefined
    claimed?.catch(() => undefined)
    let arriving: Arriving | undefined
    let computed: PrefillResult
    try {
      if (context.images.length > 0) {
        const timeoutMs = Math.max(1, deadline - clock.now())
        arriving = new Arriving(context.images, context.embeds, { mover, attempt, timeoutMs, signal, clock })
        waits(true)
        void arriving.all.then(() => waits(false))
      }
      const job = { hold, tokens, sampling, choices: context.n, ...(arriving ? { given: arriving.given } : {}) }
      computed = await whenRoom(clock, signal, Infinity, () => engine.prefill(job, signal))
    } catch (error) {
      arriving?.giveUp()
      const lost = arriving?.lost ?? error
      if (signal.aborted || !isVolleyError(lost, 'transfer_failed')) throw error
      // Where the gateway is gone there is nobody to encode for.
      await claimed
      return { type: 'EMBEDS_LOST', report: { reason: lost.message } }
    }
    // Where the prompt was found in a cache, some may still be on their way.
    arriving?.giveUp()
    arriving?.recycle()
    const { hold: info, first, cachedTokens, computeMs } = computed
    holds.keep(hold, id, attempt, info.tokens)
    await claimed
    const choices = choicesOf(context, services)
    const opening = first.flatMap((token) => choices.add(token) ?? [])
    if (show) reader.send(opening)
    const rounded = (ms: number): number => Math.round(ms * 1000) / 1000
    const report = {
      promptTokens: tokens.length, cachedTokens, computeMs: rounded(computeMs),
      // What an encoder takes is nothing that a prefill was predicted by.
      ...(arriving ? { tiles: arriving.given.length, vectorsMs: rounded(arriving.waitedMs) } : { actualMs: rounded(clock.monotonic() - startedAt) }),
    }
    if (choices.open().length === 0) {
      if (show) await reader.confirm()
      holds.release(hold)
      return { type: 'FINISHED', generated: choices.counts(), ...(show ? {} : { output: choices.output() }), report }
    }
    const source = { bytes: info.bytes, read: () => engine.exportHold(hold) }
    const ticket = decodeHere ? null : mover.offer(hold, source, { id, attempt })
    const kv = kvRef(info, instance, { encoder: arriving?.encoder ?? null, ticket })
    return { type: 'PREFILLED', kv, decodeHere, decodeAt, firstAtMs: clock.now(), first: first.map(asData), report: { ...report, kvBytes: info.bytes } }
  },
})

const asData = (token: TokenOut) => ({ ...token })
