/**
 * Where a model is: a path, a name in the cache, or the model that ships. Looks at names alone; what is in the files is
 * for the loaders.
 * @module
 */
import { access, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { nearest } from '../config/mod.ts'
import { VolleyError } from '../errors.ts'
import { cacheName, parseHubName } from '../fetch/hub.ts'
import { cacheDir, projectRoot } from '../platform.ts'

/** Where pulled models are kept: `NAME/` or `ORG/NAME/`. */
export const modelsDir = (...parts: string[]): string => cacheDir('models', ...parts)

/** Beside a pulled model's files: it is complete, and this is what it is. */
export const MANIFEST = 'volley-model.json'

/** Absolute path of a GGUF file or of a Hugging Face directory. Error: `model_file_missing`. */
export async function locateModel(model: string | undefined): Promise<string> {
  if (model === undefined) return shippedModel()
  if (await exists(model)) return resolve(model)
  // A name is at most ORG/NAME:WORD; anything that looks like a path was meant as one.
  if (/^\w[\w.-]*(?:\/\w[\w.-]*)?(?::[\w.-]+)?$/.test(model)) {
    const hub = parseHubName(model)
    const folder = modelsDir(hub ? cacheName(hub) : model)
    if (await exists(join(folder, MANIFEST))) return weightsIn(folder)
    const known = await pulledModels()
    const close = nearest(model, known)
    const also = close ? `; or did you mean ${close}?` : known.length > 0 ? `; names here: ${known.join(', ')}` : ''
    throw new VolleyError(
      'model_file_missing',
      `Cannot find model ${model}: no such file, and no pulled model of this name`,
      {
        param: 'model',
        remedy: `run \`volley pull ${model}\`${also}`,
      },
    )
  }
  throw new VolleyError('model_file_missing', `Cannot find model ${model}: no such file or directory`, {
    param: 'model',
    remedy: 'give the path of a GGUF file or of a Hugging Face directory, or the name of a pulled model',
  })
}

/** Names of complete models in the cache, in order. */
export async function pulledModels(): Promise<string[]> {
  const names: string[] = []
  for (const first of await folders(modelsDir())) {
    if (await exists(modelsDir(first, MANIFEST))) names.push(first)
    for (const second of await folders(modelsDir(first))) {
      if (await exists(modelsDir(first, second, MANIFEST))) names.push(`${first}/${second}`)
    }
  }
  return names.sort()
}

/** The model in `models/` of the project. Error: `model_file_missing`. */
async function shippedModel(): Promise<string> {
  const folder = join(projectRoot, 'models')
  for (const name of await folders(folder)) {
    if (await exists(join(folder, name, 'config.json'))) return join(folder, name)
  }
  throw new VolleyError('model_file_missing', `Cannot find the model that ships: there is none in ${folder}`, {
    remedy: 'check out the project again, or give --model PATH|NAME',
  })
}

/** A folder with one GGUF file stands for that file. */
async function weightsIn(folder: string): Promise<string> {
  const gguf = (await readdir(folder)).filter((name) => name.endsWith('.gguf'))
  return gguf.length === 1 ? join(folder, gguf[0]!) : folder
}

async function folders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name).sort()
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}
