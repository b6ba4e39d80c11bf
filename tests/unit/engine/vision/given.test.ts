import { expect, test } from 'vitest'
import { givenRows } from '../../../../runtime/engine/vision/given.ts'

const tile = (start: number, rows: number) => ({
  start,
  vectors: Float32Array.from({ length: rows * 2 }, (_, i) => start * 100 + i),
})

test('givenRows() cuts tiles to the stretch', () => {
  const tiles = [tile(3, 4), tile(10, 2)]
  expect(givenRows(tiles, 2, 0, 20)).toEqual([{ at: 3, vectors: tiles[0]!.vectors }, { at: 10, vectors: tiles[1]!.vectors }])
  expect(givenRows(tiles, 2, 5, 11)).toEqual([
    { at: 0, vectors: tiles[0]!.vectors.subarray(4) },
    { at: 5, vectors: tiles[1]!.vectors.subarray(0, 2) },
  ])
  expect(givenRows(tiles, 2, 7, 10)).toEqual([])
})
