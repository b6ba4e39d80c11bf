import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NUMBER_FORMATS } from '../../../../runtime/engine/load/quants.ts'

/** Random blocks, dequantised by the Python package `gguf` (numpy): sha256 over the float32 bytes. */
const GOLDEN = JSON.parse(readFileSync(join(import.meta.dirname, 'quants.golden.json'), 'utf8')) as Record<
  string,
  { bytes: string; sha256: string; first: number[]; count: number }
>

describe('number formats', () => {
  test.each(Object.keys(GOLDEN))('%s equals the reference bit for bit', (type) => {
    const { bytes, sha256, first, count } = GOLDEN[type]!
    const format = NUMBER_FORMATS[type]!
    const raw = Uint8Array.from(Buffer.from(bytes, 'base64'))
    const out = new Float32Array(count)
    format.decode(new DataView(raw.buffer), raw.length / format.blockBytes, out, 0)
    expect([...out.subarray(0, 4)]).toEqual(first)
    expect(createHash('sha256').update(new Uint8Array(out.buffer)).digest('hex')).toBe(sha256)
  })

  test('every format has a golden, but F32 itself', () => {
    expect(Object.keys(NUMBER_FORMATS).filter((type) => type !== 'F32').sort()).toEqual(Object.keys(GOLDEN).sort())
  })

  test('F16 decodes zero, the smallest, the largest, infinity and NaN', () => {
    const raw = Uint16Array.of(0x0000, 0x0001, 0x7bff, 0xfc00, 0x7e00)
    const out = new Float32Array(5)
    NUMBER_FORMATS['F16']!.decode(new DataView(raw.buffer), 5, out, 0)
    expect([...out]).toEqual([0, 2 ** -24, 65504, -Infinity, NaN])
  })
})
