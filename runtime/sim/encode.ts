/**
 * Encoding images: what a request asks for, one instance or several, and how its features reach the instance that
 * prefills it.
 * @module
 */
import type { EncodeJob, SimInstance, SimRequest } from './instance.ts'

/** Features of a tile: 256 tokens of a hidden size of 4096 in 16 bits. */
const TILE_BYTES = 256 * 4_096 * 2

const sum = (tiles: readonly number[]): number => tiles.reduce((a, b) => a + b, 0)

/** What is placed as one: all of a request's images, or each of them. */
export function jobsOf(request: SimRequest, spread: boolean): EncodeJob[] {
  const one = (images: readonly number[]): EncodeJob => {
    const tiles = sum(images)
    return { request, images: images.length, tiles, left: tiles }
  }
  return spread ? request.images.map((image) => one([image])) : [one(request.images)]
}

/** A job has ended: whether it was the request's last. */
export function encoded({ request, images, tiles }: EncodeJob, instance: SimInstance): boolean {
  request.encoded.push({ instance, tiles, life: instance.life })
  request.imagesLeft -= images
  return request.imagesLeft === 0
}

/** Whether somebody who has encoded some of it has died since: its features were there. */
export const featuresLost = (request: SimRequest): boolean =>
  request.encoded.some(({ instance, life }) => instance.life !== life)

/** It begins to encode: what was encoded before does not count. */
export function encodeAnew(request: SimRequest): void {
  request.encoded.length = 0
  request.imagesLeft = request.images.length
}

/** Bytes of features that an instance must fetch for a request. */
export const featureBytes = (request: SimRequest, prefiller: SimInstance): number =>
  TILE_BYTES * sum(request.encoded.filter(({ instance }) => instance !== prefiller).map(({ tiles }) => tiles))
