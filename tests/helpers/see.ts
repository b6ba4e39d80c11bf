/**
 * The whole way of a chat with pictures through the engine's parts, for tests: files, tiles, vectors, prompt.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openText } from '../../runtime/engine/text/mod.ts'
import type { ChatMessage } from '../../runtime/engine/text.ts'
import { ImageDecoder } from '../../runtime/engine/vision/decode.ts'
import type { ImageEncoder } from '../../runtime/engine/vision/encoder.ts'
import type { PlacedTile } from '../../runtime/engine/vision/given.ts'
import { type ProcessedImage, processImage } from '../../runtime/engine/vision/processor.ts'
import { imageExpander } from '../../runtime/engine/vision/prompt.ts'
import { readImageSettings } from '../../runtime/engine/vision/settings.ts'

/** The processed pictures of these files. */
export async function processedPictures(model: string, folder: string, names: readonly string[]): Promise<ProcessedImage[]> {
  const decoder = new ImageDecoder()
  const settings = readImageSettings(model)!
  const out: ProcessedImage[] = []
  for (const name of names) {
    const image = await decoder.decode(readFileSync(join(folder, name)), new AbortController().signal)
    out.push(processImage(settings, image))
  }
  return out
}

/** Prompt ids, and every tile's vectors with their place. */
export async function see(
  model: string,
  encoder: ImageEncoder,
  messages: readonly ChatMessage[],
  pictures: readonly ProcessedImage[],
): Promise<{ tokens: number[]; tiles: PlacedTile[] }> {
  const text = openText(model)
  const { tokens, tileStarts } = imageExpander(text, readImageSettings(model)!)(text.chat([...messages]), pictures)
  const tiles: PlacedTile[] = []
  for (const [i, { pixels }] of pictures.entries()) {
    const vectors = await encoder.encode(pixels)
    const size = vectors.length / tileStarts[i]!.length
    tileStarts[i]!.forEach((start, t) => tiles.push({ start, vectors: vectors.subarray(t * size, (t + 1) * size) }))
  }
  return { tokens, tiles }
}
