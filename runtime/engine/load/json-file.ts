/**
 * JSON files of a model directory, read with an error that names the file, and plain looks at untyped values.
 * @module
 */
import { readFileSync } from 'node:fs'
import { VolleyError } from '../../errors.ts'

/** The object in a JSON file. Errors: `model_file_missing`, `model_file_invalid` (not JSON, not an object). */
export function readJson(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new VolleyError('model_file_missing', `Cannot read ${path}: ${(cause as Error).message}`, {
      remedy: 'check the path and that this user may read it.',
      param: path,
      cause,
    })
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    throw new Error('it holds no object')
  } catch (cause) {
    throw new VolleyError('model_file_invalid', `${path} is not valid: ${(cause as Error).message}`, {
      remedy: 'download it again.',
      param: path,
      cause,
    })
  }
}

/** An unknown value as an object; anything else as an empty one. */
export function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** A token id, or a list of them, as Hugging Face writes `eos_token_id`. */
export function tokenIds(value: unknown): number[] {
  const list = Array.isArray(value) ? value : [value]
  return list.filter((id): id is number => Number.isSafeInteger(id) && id >= 0)
}
