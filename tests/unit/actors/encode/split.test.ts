import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countTiles, inTurn, splitTiles, stretchesOf } from '../../../../actors/encode/split.ts'
import type { PictureRef } from '../../../../runtime/machine/generate.ts'

const pictureOf = (key: string, tiles: number): PictureRef => ({ key, whole: false, starts: Array.from({ length: tiles }, (_, i) => i), bytes: 1, ticket: {} })

test('splitTiles() cuts into even parts in order, none of them empty', () => {
  expect(splitTiles(8, 3)).toEqual([{ from: 0, tiles: 2 }, { from: 2, tiles: 3 }, { from: 5, tiles: 3 }])
  expect(splitTiles(2, 5)).toEqual([{ from: 0, tiles: 1 }, { from: 1, tiles: 1 }])
  fc.assert(fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 20 }), (tiles, parts) => {
    const cut = splitTiles(tiles, parts)
    const sizes = cut.map((part) => part.tiles)
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
    expect(cut.flatMap(({ from, tiles: n }) => Array.from({ length: n }, (_, i) => from + i))).toEqual(Array.from({ length: tiles }, (_, i) => i))
  }))
})

test('inTurn() gives the same order whoever leads, another for other pictures', () => {
  const pictures = [pictureOf('a', 5), pictureOf('b', 3)]
  const order = inTurn(['i1', 'i2', 'i3'], pictures)
  expect([...order].sort()).toEqual(['i1', 'i2', 'i3'])
  expect(inTurn(['i3', 'i1', 'i2'], pictures)).toEqual(order)
  const firsts = new Set(Array.from({ length: 40 }, (_, i) => inTurn(['i1', 'i2', 'i3'], [pictureOf(`p${i}`, 1)])[0]))
  expect(firsts.size).toBe(3)
})

test('stretchesOf() says what of each picture is in a part', () => {
  const pictures = [pictureOf('a', 5), pictureOf('b', 3)]
  expect(countTiles(pictures)).toBe(8)
  const of = (from: number, tiles: number) => stretchesOf(pictures, { from, tiles }).map(({ picture, tiles: which }) => [picture.key, which])
  expect(of(0, 8)).toEqual([['a', [0, 1, 2, 3, 4]], ['b', [0, 1, 2]]])
  expect(of(3, 3)).toEqual([['a', [3, 4]], ['b', [0]]])
  expect(of(5, 2)).toEqual([['b', [0, 1]]])
})
