import { describe, expect, test } from 'vitest'
import type { RgbImage } from '../../../../runtime/engine/vision/image.ts'
import { processImage } from '../../../../runtime/engine/vision/processor.ts'
import { readImageSettings } from '../../../../runtime/engine/vision/settings.ts'
import { floatsOf, plainImage, visionCases } from '../../../helpers/idefics3-golden.ts'
import { sharedData } from '../../../helpers/model-files.ts'

const model = sharedData('models/idefics3_tiny')
const images = sharedData('models/images')

describe.skipIf(model === undefined || images === undefined)('processImage() agrees with transformers', () => {
  const cases = model === undefined ? [] : visionCases(model).filter((each) => each.images.length > 0)

  test('to the last bit', () => {
    const first = cases.find(({ pixel_values }) => pixel_values !== null)!
    const { pixels } = processImage(readImageSettings(model!)!, plainImage(images!, first.images[0]!)!)
    expect(Buffer.from(pixels.buffer).equals(Buffer.from(floatsOf(first.pixel_values!).buffer))).toBe(true)
  })

  test.each(cases)('in tiles and their means: $images', ({ images: names, rows, cols, pixel_values_mean_per_tile: means }) => {
    const settings = readImageSettings(model!)!
    let tile = 0
    names.forEach((name, i) => {
      const image = plainImage(images!, name)
      if (image === undefined) return void (tile += 5)
      const found = processImage(settings, image)
      expect([found.rows, found.cols]).toEqual([rows![i], cols![i]])
      const size = found.pixels.length / found.tiles
      for (let t = 0; t < found.tiles; t++) {
        const own = found.pixels.subarray(t * size, (t + 1) * size)
        expect(own.reduce((a, b) => a + b, 0) / size).toBeCloseTo(means![tile++]!, 6)
      }
    })
  })
})
