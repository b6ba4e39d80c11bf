/**
 * Decode: from the first token to the end of every choice, shown as it is made. Resumed, it asks the reader what it has
 * and goes on from there: the sampler's random numbers depend on (seed, choice, index) alone.
 * @module
 */
import type { DecodeRun, TokenOut } from '../../runtime/engine/engine.ts'
import { isVolleyError } from '../../runtime/errors.ts'
import type { LlmContext } from '../../runtime/machine/generate.ts'
import { type Actor, defineActor } from '../../runtime/pool/actor.ts'
import { isHere } from '../kv.ts'
import { choicesOf, samplingOf } from '../request.ts'
import { PATIENCE_MS, whenRoom } from '../room.ts'

export const decode: Actor = defineActor<LlmContext>({
  name: 'decode',
  slots: 'decode',
  async run({ id, context, params, instance, signal, reader, services, clock }) {
    const { engine, gaps, holds, inputs } = services
    const { kv } = context
    if (kv === null || !isHere(kv, instance) || !holds.has(kv.hold)) {
      return { type: 'KV_LOST', report: { reason: kv !== null && isHere(kv, instance) ? 'lease ended' : `its KV was on ${kv?.instance}` } }
    }
    const startedAt = clock.monotonic()
    const show = params['show'] !== false
    const shown = show ? await reader.open() : []
    const choices = choicesOf(context, services)
    for (const [choice, ids] of shown.entries()) ids.forEach((token, index) => choices.add({ choice, index, token }))
    // A first token that was lost on its way from prefill is sent again.
    const first = (context.first as unknown as TokenOut[]).flatMap((token) => choices.add(token) ?? [])
    if (show) reader.send(first)
    const open = choices.open()
    const resumedAt = choices.counts()
    if (open.length > 0) {
      const prompt = await inputs.resolve(context.prompt)
      const onTokens = (tokens: TokenOut[]) => {
        const fresh: TokenOut[] = []
        for (const token of tokens) {
          const added = choices.add(token)
          if (added === undefined) continue
          fresh.push(added)
          // Ended by its text, which the engine does not know.
          if (added.finish && !token.finish) run?.stop(token.choice)
        }
        if (fresh.length > 0) gaps.token(id)
        if (show) reader.send(fresh)
      }
      let run: DecodeRun | undefined
      gaps.begin(id, clock.now() - context.firstAtMs)
      try {
        await whenRoom(clock, signal, PATIENCE_MS, () => {
          run = engine.decode({ hold: kv.hold, prompt, sampling: samplingOf(context), choices: open }, onTokens, signal)
          holds.settle(kv.hold)
          return run.done
        })
      } catch (error) {
        // No room beside what is resident: gives its KV up, so that somebody can go on.
        if (isVolleyError(error, 'kv_lost') || isVolleyError(error, 'kv_exhausted')) return { type: 'KV_LOST', report: { reason: error.message } }
        throw error
      } finally {
        gaps.end(id)
      }
    }
    if (show) await reader.confirm()
    const generated = choices.counts()
    const made = generated.reduce((sum, count, i) => sum + count - (resumedAt[i] ?? 0), 0)
    const ms = clock.monotonic() - startedAt
    // Choices decode side by side: the longest took as many steps as it has tokens.
    const steps = Math.max(0, ...generated.map((count, i) => count - (resumedAt[i] ?? 0)))
    const rounded = (value: number) => Math.round(value * 1000) / 1000
    const report = {
      tokens: made,
      decodeMs: rounded(ms),
      perTokenMs: made === 0 ? 0 : rounded(ms / made),
      ...(steps > 0 && { actualMs: rounded(ms / steps) }),
    }
    return { type: 'DECODED', generated, ...(show ? {} : { output: choices.output() }), report }
  },
})
