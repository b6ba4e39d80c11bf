/**
 * A PNG reader for tests, on zlib alone: eight bits a channel, not interlaced. It has nothing in common with the decoder
 * under test, so that the two can be compared.
 * @module
 */
import { inflateSync } from 'node:zlib'
import type { RgbImage } from '../../runtime/engine/vision/image.ts'

const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 4: 2, 6: 4 }

/** Grey, RGB and both with alpha; alpha is dropped. */
export function readPlainPng(file: Buffer): RgbImage {
  let header: Buffer | undefined
  const parts: Buffer[] = []
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    const type = file.toString('latin1', at + 4, at + 8)
    const body = file.subarray(at + 8, at + 8 + file.readUInt32BE(at))
    if (type === 'IHDR') header = body
    if (type === 'IDAT') parts.push(body)
  }
  const [width, height] = [header!.readUInt32BE(0), header!.readUInt32BE(4)]
  const channels = CHANNELS[header![9]!]!
  if (header![8] !== 8 || header![12] !== 0) throw new Error('not a plain PNG')
  const samples = unfilter(inflateSync(Buffer.concat(parts)), width * channels, height, channels)
  const colour = channels >= 3
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3) * channels
    return samples[colour ? pixel + (i % 3) : pixel]!
  })
  return { width, height, data }
}

function unfilter(raw: Buffer, stride: number, rows: number, channels: number): Uint8Array {
  const out = new Uint8Array(stride * rows)
  for (let y = 0; y < rows; y++) {
    const filter = raw[y * (stride + 1)]
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : out[y * stride + x - channels]!
      const up = y === 0 ? 0 : out[(y - 1) * stride + x]!
      const corner = x < channels || y === 0 ? 0 : out[(y - 1) * stride + x - channels]!
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter!]!
      out[y * stride + x] = raw[y * (stride + 1) + 1 + x]! + guess
    }
  }
  return out
}

function paeth(left: number, up: number, corner: number): number {
  const p = left + up - corner
  const [a, b, c] = [Math.abs(p - left), Math.abs(p - up), Math.abs(p - corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}
