import { describe, expect, test } from 'vitest'
import { imageLayout } from '../../../../runtime/engine/vision/layout.ts'
import type { ImageSettings } from '../../../../runtime/engine/vision/settings.ts'

const smolvlm: ImageSettings = {
  tileSize: 512,
  longestEdge: 2048,
  splitting: true,
  mean: [127.5, 127.5, 127.5],
  deviation: [127.5, 127.5, 127.5],
  tileTokens: 64,
}

describe('imageLayout()', () => {
  test.each([
    [[1000, 1000], 4, 4],
    [[1600, 1200], 3, 4],
    [[1920, 1080], 3, 4],
    [[2000, 1000], 2, 4],
    [[1000, 2000], 4, 2],
    [[4000, 1000], 1, 4],
    [[1, 1], 4, 4],
    [[30000, 1], 1, 4],
  ])('cuts %j into %i rows and %i columns at 2048 / 512', ([width, height], rows, cols) => {
    const layout = imageLayout(smolvlm, { width: width!, height: height! })
    expect(layout).toMatchObject({ rows, cols, tiles: rows * cols + 1 })
    expect(layout.steps.at(-1)).toEqual({ width: cols * 512, height: rows * 512 })
  })

  test('rounds the shorter side down, then up to an even number', () => {
    expect(imageLayout(smolvlm, { width: 640, height: 427 }).steps[0]).toEqual({ width: 2048, height: 1366 })
    expect(imageLayout(smolvlm, { width: 427, height: 641 }).steps[0]).toEqual({ width: 1364, height: 2048 })
  })

  test('makes one tile of a picture that is not cut, or fits in one', () => {
    const one = { rows: 0, cols: 0, tiles: 1 }
    expect(imageLayout({ ...smolvlm, splitting: false }, { width: 900, height: 300 })).toMatchObject(one)
    expect(imageLayout({ ...smolvlm, longestEdge: 512 }, { width: 900, height: 300 })).toMatchObject(one)
  })

  test('scales no side beyond 4096', () => {
    const { steps } = imageLayout({ ...smolvlm, longestEdge: 8192 }, { width: 300, height: 200 })
    expect(steps[0]).toEqual({ width: 4096, height: 2731 })
  })
})
