/**
 * `volley trace ID`: the road of one request.
 * @module
 */
import { VolleyError } from '../../runtime/errors.ts'
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'
import { renderRoad, roadOf } from '../ui/road.ts'

/** `volley trace ID`. */
export const trace: Command = {
  name: 'trace',
  summary: "One request's states, instances and milliseconds",
  positionals: [{ name: 'ID', help: 'id of the request: the x-request-id header of its answer' }],
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const id = input.positionals[0]!
      const request = await client.request(id)
      if (!request) throw notFound(id)
      const road = roadOf(request.history)
      if (!input.output.json) return input.output.write(renderRoad(request.id, road))
      for (const step of road) input.output.data({ id, ...step }, '')
    }),
}

/** Error for a request that is not known, or not any more. */
export const notFound = (id: string): VolleyError =>
  new VolleyError('request_not_found', `Cannot find request "${id}"`, {
    param: 'ID',
    remedy: 'see `volley ps` for those that are known; ended ones are kept for some minutes',
  })
