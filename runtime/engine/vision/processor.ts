/**
 * A decoded picture to the numbers the encoder reads: resized, cut into tiles, scaled. Equal to transformers'
 * Idefics3ImageProcessor to the last bit. Knows nothing of files, prompts or tensors.
 * @module
 */
import type { RgbImage } from './image.ts'
import { resizeLanczos } from './lanczos.ts'
import { type ImageLayout, imageLayout, type Size } from './layout.ts'
import type { ImageSettings } from './settings.ts'

export interface ProcessedImage extends ImageLayout {
  /** [tiles, 3, tileSize, tileSize]: tiles row by row, the view of the whole last. */
  pixels: Float32Array
}

/** Takes some 30 ms for a megapixel in five small tiles, half a second for 17 tiles of 512 pixels. */
export function processImage(settings: ImageSettings, image: RgbImage): ProcessedImage {
  const cutter = new TileCutter(settings, image)
  while (!cutter.ready) cutter.advance()
  const { layout, tileFloats } = cutter
  const pixels = new Float32Array(layout.tiles * tileFloats)
  for (let tile = 0; tile < layout.tiles; tile++) {
    cutter.write(tile, pixels.subarray(tile * tileFloats, (tile + 1) * tileFloats))
  }
  return { ...layout, pixels }
}

/** The same in pieces, for whoever has other things to do in between: first resized step by step, then tile by tile. */
export class TileCutter {
  readonly layout: ImageLayout
  /** Numbers of a tile: 3 * tileSize². */
  readonly tileFloats: number
  readonly #side: number
  readonly #levels: Float32Array[]
  #image: RgbImage
  #steps: Size[]

  constructor(settings: ImageSettings, image: RgbImage) {
    this.layout = imageLayout(settings, image)
    this.#side = settings.tileSize
    this.tileFloats = 3 * this.#side ** 2
    this.#levels = levelTables(settings)
    this.#image = image
    this.#steps = [...this.layout.steps]
  }

  /** Tiles can be written. */
  get ready(): boolean {
    return this.#steps.length === 0
  }

  /** One resize; up to some 150 ms for large pictures. */
  advance(): void {
    const next = this.#steps.shift()
    if (next) this.#image = resizeLanczos(this.#image, next.width, next.height)
  }

  /** Writes a tile of a picture that is `ready`. @param out [3, tileSize, tileSize] */
  write(tile: number, out: Float32Array): void {
    const { cols, tiles } = this.layout
    const side = this.#side
    if (tile === tiles - 1) return writeTile(resizeLanczos(this.#image, side, side), 0, 0, side, this.#levels, out)
    writeTile(this.#image, (tile % cols) * side, Math.floor(tile / cols) * side, side, this.#levels, out)
  }
}

/** What each level of each channel becomes. [3, 256] */
function levelTables({ mean, deviation }: ImageSettings): Float32Array[] {
  return mean.map((m, c) => Float32Array.from({ length: 256 }, (_, x) => Math.fround(x - m) / deviation[c]!))
}

/** A square of the picture as planes [3, side, side]. */
function writeTile(
  { width, data }: RgbImage,
  left: number,
  top: number,
  side: number,
  levels: Float32Array[],
  out: Float32Array,
): void {
  levels.forEach((level, channel) => {
    let to = channel * side * side
    for (let y = 0; y < side; y++) {
      let at = ((top + y) * width + left) * 3 + channel
      for (let x = 0; x < side; x++, at += 3) out[to++] = level[data[at]!]!
    }
  })
}
