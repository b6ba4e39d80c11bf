/**
 * Where the model is: a path, the name of a pulled one, or the one that ships.
 * @module
 */
import { join } from 'node:path'

/** The model that ships in the repository. */
const SHIPPED = join(import.meta.dirname, '..', 'models', 'volley-tiny')

export const modelPath = (model: string | undefined): string => model ?? SHIPPED
