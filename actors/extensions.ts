/**
 * Pipelines and actors of a user's own, from the modules named by --pipeline. Every process of a fleet loads the same ones.
 * @module
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { VolleyError } from '../runtime/errors.ts'
import { type Pipeline, registerPipeline } from '../runtime/machine/mod.ts'
import type { Actor } from '../runtime/pool/actor.ts'

/** What such a module exports. */
interface Extension {
  pipelines?: Pipeline[]
  actors?: Actor[]
}

/** Loads modules in order, registers their pipelines and answers their actors. Error: `pipeline_invalid`. */
export async function loadExtensions(paths: readonly string[]): Promise<Actor[]> {
  const actors: Actor[] = []
  for (const path of paths) {
    let extension: Extension
    try {
      extension = (await import(pathToFileURL(resolve(path)).href)) as Extension
    } catch (cause) {
      throw new VolleyError('pipeline_invalid', `Cannot load ${path}: ${(cause as Error).message}`, {
        cause, param: path, remedy: 'name a module that exports `pipelines` and `actors`',
      })
    }
    if (!Array.isArray(extension.pipelines)) {
      throw new VolleyError('pipeline_invalid', `${path} exports no list named \`pipelines\``, { param: path })
    }
    extension.pipelines.forEach(registerPipeline)
    actors.push(...(extension.actors ?? []))
  }
  return actors
}
