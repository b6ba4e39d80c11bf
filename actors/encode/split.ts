/**
 * How a request's tiles are cut into parts, who gets which, and what of each picture is in a part. Tiles count on from
 * picture to picture. Pure.
 * @module
 */
import { createHash } from 'node:crypto'
import type { PictureRef } from '../../runtime/machine/generate.ts'

/** Consecutive tiles of a request. */
export interface TileRange {
  from: number
  tiles: number
}

/** Consecutive tiles of one picture. */
export interface Stretch {
  picture: PictureRef
  /** Numbers within the picture. */
  tiles: number[]
}

export const countTiles = (pictures: readonly PictureRef[]): number =>
  pictures.reduce((sum, { starts }) => sum + starts.length, 0)

/** Parts in order, as even as can be; fewer where there are fewer tiles. */
export function splitTiles(tiles: number, parts: number): TileRange[] {
  const count = Math.min(parts, tiles)
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((tiles * i) / count)
    return { from, tiles: Math.floor((tiles * (i + 1)) / count) - from }
  })
}

/**
 * The same instances in the order of the parts they get: the same for the same pictures, whoever of them leads, so that
 * pictures that come again find their tiles where they were encoded.
 */
export function inTurn(instances: readonly string[], pictures: readonly PictureRef[]): string[] {
  const keys = pictures.map(({ key }) => key).join()
  const rank = new Map(instances.map((id) => [id, createHash('sha256').update(`${id} ${keys}`).digest('hex')]))
  return [...instances].sort((a, b) => (rank.get(a)! < rank.get(b)! ? -1 : 1))
}

/** What of each picture is in a part, in order. */
export function stretchesOf(pictures: readonly PictureRef[], { from, tiles }: TileRange): Stretch[] {
  let first = 0
  return pictures.flatMap((picture) => {
    const begin = Math.max(0, from - first)
    const end = Math.min(picture.starts.length, from + tiles - first)
    first += picture.starts.length
    return begin < end ? [{ picture, tiles: Array.from({ length: end - begin }, (_, i) => begin + i) }] : []
  })
}
