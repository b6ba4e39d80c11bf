/**
 * The pipelines this process knows, by `name@version`. New requests take the newest version of a name.
 * @module
 */
import { VolleyError } from '../errors.ts'
import { llm } from './llm.ts'
import type { Pipeline } from './pipeline.ts'

const byId = new Map<string, Pipeline>()

/** Makes a pipeline known here. The same id again replaces it. */
export function registerPipeline(pipeline: Pipeline): void {
  byId.set(pipeline.id, pipeline)
}

/** By `name@version`, or the newest of a bare name. Error: `pipeline_not_found`. */
export function pipelineOf(id: string): Pipeline {
  const exact = byId.get(id)
  if (exact) return exact
  const newest = [...byId.values()].filter((p) => p.name === id).sort((a, b) => b.version - a.version)[0]
  if (newest) return newest
  throw new VolleyError('pipeline_not_found', `Cannot find pipeline "${id}": known are ${[...byId.keys()].join(', ')}`, {
    remedy: 'start every process with the same --pipeline files',
    param: 'pipeline',
  })
}

/** All of them, in order of id. */
export const pipelines = (): Pipeline[] => [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1))

registerPipeline(llm)
