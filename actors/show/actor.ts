/**
 * Show: sends an answer that was held back, all of it, to the reader.
 * @module
 */
import type { LlmContext } from '../../runtime/machine/generate.ts'
import { type Actor, defineActor } from '../../runtime/pool/actor.ts'
import { choicesOf } from '../request.ts'

export const show: Actor = defineActor<LlmContext>({
  name: 'show',
  async run({ context, reader, services }) {
    await reader.open()
    const choices = choicesOf(context, services)
    reader.send(context.output.flatMap((ids, choice) => ids.flatMap((token, index) => choices.add({ choice, index, token }) ?? [])))
    await reader.confirm()
    return { type: 'SHOWN' }
  },
})
