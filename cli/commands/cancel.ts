/**
 * `volley cancel ID`: ends a request.
 * @module
 */
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'
import { notFound } from './trace.ts'

/** `volley cancel ID`. */
export const cancel: Command = {
  name: 'cancel',
  summary: 'End a request, wherever it is',
  positionals: [{ name: 'ID', help: 'id of the request' }],
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const id = input.positionals[0]!
      const outcome = await client.cancel(id)
      if (outcome === 'none') throw notFound(id)
      input.output.data({ id, outcome }, outcome === 'applied' ? `${id} is cancelled` : `${id} had ended already`)
    }),
}
