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
      if (!(await client.cancel(id))) throw notFound(id)
      input.output.data({ id, cancelled: true }, `${id} is cancelled`)
    }),
}
