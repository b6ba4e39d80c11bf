/**
 * `volley pools`: instances, what each is labelled for and since when, and what it has to do.
 * @module
 */
import { iterationMs, prefillMs } from '../../runtime/policy/profile.ts'
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'

/** Tokens of the prompt for which rates are shown. */
const PROMPT = 256

const rate = (tokens: number, ms: number): number => Math.round((tokens * 1000) / ms)

/** `volley pools`. */
export const pools: Command = {
  name: 'pools',
  summary: 'Instances now: label, load, and how the labels came about',
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const rows = await Promise.all((await client.instances()).map(async ({ id, state, label, load, engine, profile, jobs, holds }) => {
        const history = await client.labels(id)
        const last = history.at(-1)
        return {
          instance: id, label: label ?? 'any', state, engine: engine.backend, jobs, holds,
          // What policies reckon with, at the length and the batch that it was measured at.
          'prefill tok/s': rate(PROMPT, prefillMs(profile, PROMPT)),
          'decode tok/s': rate(1, iterationMs(profile, 0, 0, PROMPT, 1)),
          profile,
          prefills: load.prefillsWaiting, decodes: load.decodesRunning,
          kv: `${engine.blocksTotal - load.blocksFree} of ${engine.blocksTotal} blocks`,
          flips: Math.max(0, history.length - 1),
          since: last === undefined ? '' : new Date(last.sinceMs).toISOString(), by: last?.by ?? '', reason: last?.reason ?? '',
          history,
        }
      }))
      input.output.table(rows, ['instance', 'label', 'state', 'engine', 'prefill tok/s', 'decode tok/s', 'jobs', 'prefills', 'decodes', 'holds', 'kv', 'flips', 'since', 'by', 'reason'])
    }),
}
