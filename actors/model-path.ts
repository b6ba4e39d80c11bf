/**
 * Where the model is: a path, the name of a pulled one, or the one that ships.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cachedModel } from '../runtime/engine/load/cache.ts'

/** The model that ships in the repository. */
const SHIPPED = join(import.meta.dirname, '..', 'models', 'volley-tiny')

/** A path that exists wins over a cached model of the same name; what is neither is left for the loader to refuse. */
export function modelPath(model: string | undefined): string {
  if (model === undefined) return SHIPPED
  return existsSync(model) ? model : cachedModel(model) ?? model
}
