/**
 * `volley ps`: requests now.
 * @module
 */
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'

/** `volley ps`. */
export const ps: Command = {
  name: 'ps',
  summary: 'Requests now, newest first: where each is and who works on it',
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const requests = await client.requests()
      const rows = requests.map(({ id, state, model, holder, createdMs }) => ({
        id,
        state,
        model,
        holder,
        createdMs,
        age: `${((Date.now() - createdMs) / 1000).toFixed(1)} s`,
      }))
      input.output.table(rows, ['id', 'state', 'model', 'holder', 'age'])
    }),
}
