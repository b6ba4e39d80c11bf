/**
 * GGML's K-quants: super-blocks of 256 numbers whose sub-block scales are quantised too. Most GGUF files that people
 * have use Q4_K, Q5_K and Q6_K. Formulas are those of ggml's reference dequantisers.
 * @module
 */
import type { NumberFormat } from './format.ts'
import { halfTable } from './half.ts'

/** The 6-bit scale (`first` = 0) or minimum (`first` = 4) of sub-block `j`, out of the 12 packed bytes at `p`. */
function sixBits(view: DataView, p: number, j: number, first: 0 | 4): number {
  if (j < 4) return view.getUint8(p + first + j) & 63
  const low = view.getUint8(p + 4 + j)
  return (first === 0 ? low & 15 : low >> 4) | ((view.getUint8(p + first + j - 4) >> 6) << 4)
}

/** f16 d, f16 dmin, 12 bytes of scales, [32 bytes of fifth bits], 128 bytes of nibbles: x = d scale q - dmin min. */
function fourOrFive(five: boolean): NumberFormat {
  const blockBytes = 16 + (five ? 32 : 0) + 128
  return {
    blockElements: 256,
    blockBytes,
    decode(view, blocks, out, at) {
      const half = halfTable()
      for (let b = 0, p = 0; b < blocks; b++, p += blockBytes, at += 256) {
        const d = half[view.getUint16(p, true)]!
        const dmin = half[view.getUint16(p + 2, true)]!
        for (let j = 0; j < 8; j++) {
          const scale = d * sixBits(view, p + 4, j, 0)
          const min = dmin * sixBits(view, p + 4, j, 4)
          // Sub-blocks 2k and 2k + 1 share 32 bytes: the low and the high nibbles.
          const quants = p + blockBytes - 128 + (j >> 1) * 32
          for (let i = 0; i < 32; i++) {
            const nibble = (view.getUint8(quants + i) >> ((j & 1) * 4)) & 15
            const q = five ? nibble | (((view.getUint8(p + 16 + i) >> j) & 1) << 4) : nibble
            out[at + j * 32 + i] = scale * q - min
          }
        }
      }
    },
  }
}

/** 128 bytes of low nibbles, 64 of upper two bits, 16 i8 scales, f16 d: x = d scale (q - 32). */
const Q6_K: NumberFormat = {
  blockElements: 256,
  blockBytes: 210,
  decode(view, blocks, out, at) {
    const half = halfTable()
    for (let b = 0, p = 0; b < blocks; b++, p += 210, at += 256) {
      const d = half[view.getUint16(p + 208, true)]!
      for (let i = 0; i < 256; i++) {
        const part = i >> 7
        const row = (i >> 5) & 3
        const column = i & 31
        const low = view.getUint8(p + part * 64 + (row & 1) * 32 + column) >> ((row >> 1) * 4)
        const high = view.getUint8(p + 128 + part * 32 + column) >> (row * 2)
        const scale = d * view.getInt8(p + 192 + (i >> 4))
        out[at + i] = scale * (((low & 15) | ((high & 3) << 4)) - 32)
      }
    }
  },
}

/** The K-quants that can be read. */
export const K_QUANTS: Readonly<Record<string, NumberFormat>> = {
  Q4_K: fourOrFive(false),
  Q5_K: fourOrFive(true),
  Q6_K,
}
