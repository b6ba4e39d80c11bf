/**
 * Into how many tiles a picture of a given size is cut, and over which sizes it gets there. From width and height
 * alone, so that a front door can count tokens before anything is decoded.
 * Rules: Idefics3ImageProcessor of transformers.
 * @module
 */
import type { ImageSettings } from './settings.ts'

export interface Size {
  width: number
  height: number
}

export interface ImageLayout {
  /** Tiles down and across; both 0 when the picture is not cut. */
  rows: number
  cols: number
  /** All tiles: rows * cols and the view of the whole, which comes last. */
  tiles: number
  /** Sizes the picture is resized to, one after the other, before it is cut; the view of the whole comes after them. */
  steps: Size[]
}

/** No side is scaled beyond this. */
const LONGEST = 4096

/** Layout of a picture as it is seen: after its orientation was applied. */
export function imageLayout(settings: ImageSettings, { width, height }: Size): ImageLayout {
  const { tileSize, longestEdge, splitting } = settings
  const scaled = scaleTo({ width, height }, longestEdge)
  if (!splitting) return { rows: 0, cols: 0, tiles: 1, steps: [scaled] }
  const whole = roundUp(scaled, tileSize)
  const rows = whole.height / tileSize
  const cols = whole.width / tileSize
  if (rows === 1 && cols === 1) return { rows: 0, cols: 0, tiles: 1, steps: [scaled, whole] }
  return { rows, cols, tiles: rows * cols + 1, steps: [scaled, whole] }
}

/** The longer side as given, the other with it, rounded down and made even; then neither beyond LONGEST. */
function scaleTo({ width, height }: Size, longest: number): Size {
  const aspect = width / height
  const even = (side: number) => Math.max(side + (side % 2), 1)
  const scaled = width >= height
    ? { width: longest, height: even(Math.trunc(longest / aspect)) }
    : { width: even(Math.trunc(longest * aspect)), height: longest }
  if (Math.max(scaled.width, scaled.height) <= LONGEST) return scaled
  const again = scaled.width / scaled.height
  return scaled.width >= scaled.height
    ? { width: LONGEST, height: Math.max(Math.trunc(LONGEST / again), 1) }
    : { width: Math.max(Math.trunc(LONGEST * again), 1), height: LONGEST }
}

/** Both sides to multiples of a tile: the longer one first, the other from its new length. */
function roundUp({ width, height }: Size, tile: number): Size {
  const aspect = width / height
  const up = (side: number) => Math.ceil(side / tile) * tile
  return width >= height
    ? { width: up(width), height: up(Math.trunc(up(width) / aspect)) }
    : { width: up(Math.trunc(up(height) * aspect)), height: up(height) }
}
