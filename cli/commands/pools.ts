/**
 * `volley pools`: instances, what each is labelled for and since when, and what it has to do.
 * @module
 */
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'

/** `volley pools`. */
export const pools: Command = {
  name: 'pools',
  summary: 'Instances now: label, load, and how the labels came about',
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const rows = await Promise.all((await client.instances()).map(async ({ id, state, label, load, engine, jobs, holds }) => {
        const history = await client.labels(id)
        const last = history.at(-1)
        return {
          instance: id, label: label ?? 'any', state, jobs, holds,
          prefills: load.prefillsWaiting, decodes: load.decodesRunning,
          kv: `${engine.blocksTotal - load.blocksFree} of ${engine.blocksTotal} blocks`,
          flips: Math.max(0, history.length - 1),
          since: last === undefined ? '' : new Date(last.sinceMs).toISOString(), by: last?.by ?? '', reason: last?.reason ?? '',
          history,
        }
      }))
      input.output.table(rows, ['instance', 'label', 'state', 'jobs', 'prefills', 'decodes', 'holds', 'kv', 'flips', 'since', 'by', 'reason'])
    }),
}
