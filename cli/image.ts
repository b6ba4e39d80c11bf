/**
 * Pictures from files, as the HTTP door takes them.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { VolleyError } from '../runtime/errors.ts'

const TYPES: Record<string, string> = { '.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg', '.webp': 'webp', '.gif': 'gif' }

/** A `data:` URL of the file. Error: `invalid_flag`. */
export async function dataUrl(path: string): Promise<string> {
  const type = TYPES[extname(path).toLowerCase()]
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new VolleyError('invalid_flag', `Cannot read the image ${path}`, {
      param: 'image',
      cause,
      remedy: 'give the path of a picture',
    })
  })
  if (type === undefined) {
    throw new VolleyError('invalid_flag', `Cannot tell what kind of image ${path} is`, {
      param: 'image',
      remedy: `use one of ${Object.keys(TYPES).join(', ')}`,
    })
  }
  return `data:image/${type};base64,${bytes.toString('base64')}`
}
