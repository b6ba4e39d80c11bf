/**
 * PNG files of coloured noise, each seed another: pictures that no cache knows.
 * @module
 */
import { deflateSync } from 'node:zlib'
import { pngChunk } from './hostile-pictures.ts'
import { seededRandom } from './random.ts'

export function noisePng(width: number, height: number, seed: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const row = 1 + width * 3
  const rows = seededRandom(seed).bytes(row * height)
  // Each row begins with its filter: none.
  for (let y = 0; y < height; y++) rows[y * row] = 0
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  return Buffer.concat([signature, pngChunk('IHDR', header), pngChunk('IDAT', deflateSync(rows)), pngChunk('IEND', new Uint8Array())])
}
