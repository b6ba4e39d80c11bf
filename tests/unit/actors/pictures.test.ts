import { expect, test } from 'vitest'
import { tileName } from '../../../actors/pictures.ts'
import type { PictureRef } from '../../../runtime/machine/generate.ts'

test('tileName() tells pictures, tiles and encoders apart', () => {
  const names = ['cat', 'dog'].flatMap((key) =>
    [0, 1].flatMap((tile) => ['a', 'b'].map((numerics) => tileName({ key } as PictureRef, tile, { numerics }))))
  expect(new Set(names).size).toBe(8)
})
