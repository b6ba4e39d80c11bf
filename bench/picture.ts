/**
 * Pictures for benchmarks: PNG files of coloured noise, each seed another, so that no cache knows them.
 * @module
 */
import { crc32, deflateSync } from 'node:zlib'
import { generator } from './load.ts'

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)

/** Eight bits a channel. */
export function noisePng(width: number, height: number, seed: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const random = generator(seed)
  const row = 1 + width * 3
  // A row's first byte is its filter: none.
  const rows = Uint8Array.from({ length: row * height }, (_, i) => (i % row === 0 ? 0 : Math.floor(random() * 256)))
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', new Uint8Array())])
}

function chunk(type: string, body: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, sum])
}
