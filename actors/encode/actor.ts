/**
 * Encode: the tiles of a request's pictures, cut into parts that this instance and others begin at once. The answer does
 * not wait for a single vector: prefill pulls them as they are made.
 * @module
 */
import { sleep } from '../../runtime/clock.ts'
import { VolleyError } from '../../runtime/errors.ts'
import type { LlmContext } from '../../runtime/machine/generate.ts'
import { type Actor, defineActor } from '../../runtime/pool/actor.ts'
import { countTiles, inTurn, splitTiles } from './split.ts'

/** The first time that vectors were lost they are made again at once, then after growing pauses. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000

export const encode: Actor = defineActor<LlmContext>({
  name: 'encode',
  accepts: (_, __, { encoder }) => encoder !== undefined && encoder.hasRoom(),
  async run({ id, attempt, context, alongside, instance, signal, clock, services: { encoder } }) {
    if (encoder === undefined) throw new VolleyError('engine_failed', `Instance ${instance.id} cannot encode pictures`)
    const { images, refills } = context
    if (refills > 1) await sleep(clock, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (refills - 1)), signal)
    const tiles = countTiles(images)
    const who = inTurn([instance.id, ...alongside], images)
    const parts = splitTiles(tiles, who.length).map((range) => ({ id, attempt, pictures: images, ...range }))
    const begun = await Promise.all(parts.map(async (part, i) => {
      const there = who[i] === instance.id ? undefined : await encoder.ask(who[i]!, part, signal)
      return there ?? encoder.begin(part)
    }))
    const report = {
      tiles,
      pictures: images.length,
      cached: begun.reduce((sum, { cached }) => sum + cached, 0),
      parts: begun.map(({ embeds, cached }) => ({ instance: embeds.instance, tiles: embeds.tiles, cached })),
    }
    return { type: 'ENCODED', embeds: begun.map(({ embeds }) => embeds), report }
  },
})
