/**
 * What a model path is: a GGUF file or a Hugging Face directory. Weights and text are found by the same rule, and so
 * get the same name.
 * @module
 */
import { type Dirent, readdirSync, statSync } from 'node:fs'
import { basename, extname, join, resolve } from 'node:path'
import { VolleyError } from '../../errors.ts'

/** A model's files and its name in the API. */
export interface ModelLocation {
  kind: 'gguf' | 'hf'
  /** The GGUF file, or the directory. */
  path: string
  /** Directory or file name without extension. */
  name: string
}

/**
 * A path to a file is a GGUF file (its header says so or not); a directory with config.json is Hugging Face's, one with
 * a single *.gguf stands for that file. Errors: `model_file_missing`, `model_file_invalid`.
 */
export function locateModel(path: string): ModelLocation {
  const full = resolve(path)
  const stat = statSync(full, { throwIfNoEntry: false })
  if (!stat) {
    throw new VolleyError('model_file_missing', `There is no model at ${path}`, {
      remedy: 'give the path of a GGUF file, or of a directory with config.json and *.safetensors.',
      param: path,
    })
  }
  if (!stat.isDirectory()) {
    const extension = extname(full)
    if (['.safetensors', '.bin', '.pt', '.json'].includes(extension)) {
      throw new VolleyError('model_file_invalid', `${path} is a part of a model, not a model`, {
        remedy: 'give the directory that holds it together with config.json.',
        param: path,
      })
    }
    return { kind: 'gguf', path: full, name: basename(full, '.gguf') }
  }
  const names = readdirSync(full, { withFileTypes: true }).filter((entry: Dirent) => !entry.isDirectory()).map((e) =>
    e.name
  )
  if (names.includes('config.json')) return { kind: 'hf', path: full, name: basename(full) }
  const ggufs = names.filter((name) => name.endsWith('.gguf'))
  if (ggufs.length === 1) return { kind: 'gguf', path: join(full, ggufs[0]!), name: basename(ggufs[0]!, '.gguf') }
  throw new VolleyError('model_file_invalid', `${path} is a directory without a config.json`, {
    remedy: ggufs.length > 1
      ? `name one of its files: ${ggufs.sort().join(', ')}.`
      : 'give a directory with config.json and *.safetensors, or a GGUF file.',
    param: path,
  })
}
