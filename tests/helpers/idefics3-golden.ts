/**
 * The tiny Idefics3 model of the shared data, with what transformers makes of six chats with pictures.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { RgbImage } from '../../runtime/engine/vision/image.ts'
import { readPlainPng } from './plain-png.ts'

export interface VisionCase {
  messages: { role: string; content: ({ type: 'text'; text: string } | { type: 'image'; image: string })[] }[]
  images: string[]
  input_ids: number[]
  rows: number[] | null
  cols: number[] | null
  pixel_values: string | null
  pixel_values_mean_per_tile: number[] | null
  image_features: string | null
  last_logits: string
  greedy: number[]
  margins: number[]
}

export const floatsOf = (base64: string): Float32Array =>
  new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer)

export function visionCases(directory: string): VisionCase[] {
  const text = gunzipSync(readFileSync(join(directory, 'golden.json.gz'))).toString('utf8')
  return (JSON.parse(text) as { cases: VisionCase[] }).cases
}

/** A picture of the shared data by name; undefined where this needs a real decoder (JPEG). */
export function plainImage(images: string, name: string): RgbImage | undefined {
  return name.endsWith('.png') ? readPlainPng(readFileSync(join(images, name))) : undefined
}
