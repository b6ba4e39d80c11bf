/**
 * Models that see, for tests of the front door: the tiny one of the shared data, and the one that ships once it sees.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApp, type AppOptions } from '../../actors/gateway/http/app.ts'
import { pictureSide } from '../../actors/gateway/pictures/side.ts'
import { openText } from '../../runtime/engine/text/mod.ts'
import { FakeFront } from './fake-front.ts'
import { sharedData } from './model-files.ts'

const shipped = join(import.meta.dirname, '../../models/volley-tiny')
const config = join(shipped, 'config.json')
const shippedSees = existsSync(config) && 'vision_config' in (JSON.parse(readFileSync(config, 'utf8')) as object)

/** Directories of models that see; the tiny one of the shared data first, if it is here. */
export const visionModels: string[] = [...(shippedSees ? [shipped] : []), sharedData('models/idefics3_tiny') ?? []]
  .flat().reverse()

/** An app in front of a model that sees and answers nothing; what was submitted is in `front.submissions`. */
export function visionApp(model: string, options: Omit<AppOptions, 'front'> = {}) {
  const text = openText(model)
  const front = new FakeFront(text)
  front.pictures = pictureSide(model, text)!
  front.script = { says: [[text.endTokens[0]!]] }
  return { app: createApp({ front, ...options }), front, text, side: front.pictures }
}

/** An image part. */
export const imagePart = (url: string, detail?: string) => ({
  type: 'image_url',
  image_url: { url, ...(detail !== undefined && { detail }) },
})

/** A file as a `data:` URL. */
export const dataUrlOf = (file: Uint8Array, type = 'image/png') =>
  `data:${type};base64,${Buffer.from(file).toString('base64')}`
