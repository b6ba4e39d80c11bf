/**
 * What the front door needs to know of a model that sees: how its pictures are cut, and how room is made for them in a
 * prompt. Read from the model's directory; no weights are touched.
 * @module
 */
import { statSync } from 'node:fs'
import type { TextModel } from '../../../runtime/engine/text.ts'
import { imageExpander } from '../../../runtime/engine/vision/prompt.ts'
import { readImageSettings } from '../../../runtime/engine/vision/settings.ts'
import type { PictureSide } from '../front.ts'

/**
 * Undefined for models that see nothing, and for those without a tokenizer: nobody could tell them where a picture is.
 * Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported`.
 */
export function pictureSide(path: string, text: TextModel): PictureSide | undefined {
  if (!text.hasTokenizer || !statSync(path).isDirectory()) return undefined
  const settings = readImageSettings(path)
  return settings && { settings, expand: imageExpander(text, settings) }
}
