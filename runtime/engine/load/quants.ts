/**
 * Number formats of weights and how to make float32 of them: the plain ones and GGML's blocks of 32. Knows bytes only,
 * neither files nor tensors. Formulas are those of ggml's reference dequantisers; each result is rounded once.
 * @module
 */
import type { NumberFormat } from './format.ts'
import { halfTable } from './half.ts'
import { K_QUANTS } from './k-quants.ts'

const F32: NumberFormat = {
  blockElements: 1,
  blockBytes: 4,
  decode(view, blocks, out, at) {
    for (let i = 0; i < blocks; i++) out[at + i] = view.getFloat32(i * 4, true)
  },
}

const F16: NumberFormat = {
  blockElements: 1,
  blockBytes: 2,
  decode(view, blocks, out, at) {
    const half = halfTable()
    for (let i = 0; i < blocks; i++) out[at + i] = half[view.getUint16(i * 2, true)]!
  },
}

/** The upper half of a float32. */
const BF16: NumberFormat = {
  blockElements: 1,
  blockBytes: 2,
  decode(view, blocks, out, at) {
    const bits = new Uint32Array(out.buffer, out.byteOffset, out.length)
    for (let i = 0; i < blocks; i++) bits[at + i] = view.getUint16(i * 2, true) << 16
  },
}

/** f16 d, i8 q[32]: x = d q. */
const Q8_0: NumberFormat = {
  blockElements: 32,
  blockBytes: 34,
  decode(view, blocks, out, at) {
    const half = halfTable()
    for (let b = 0, p = 0; b < blocks; b++, p += 34, at += 32) {
      const d = half[view.getUint16(p, true)]!
      for (let i = 0; i < 32; i++) out[at + i] = d * view.getInt8(p + 2 + i)
    }
  },
}

/**
 * Nibble blocks: f16 d, [f16 m], [u32 fifth bits], u8 q[16]; low nibbles are elements 0..15, high ones 16..31.
 * With m: x = d q + m, else x = d (q - middle); adding -0 then changes no bit.
 */
function nibbles(five: boolean, withMin: boolean): NumberFormat {
  const middle = withMin ? 0 : five ? 16 : 8
  const low = (withMin ? 4 : 2) + (five ? 4 : 0)
  const blockBytes = low + 16
  return {
    blockElements: 32,
    blockBytes,
    decode(view, blocks, out, at) {
      const half = halfTable()
      for (let b = 0, p = 0; b < blocks; b++, p += blockBytes, at += 32) {
        const d = half[view.getUint16(p, true)]!
        const m = withMin ? half[view.getUint16(p + 2, true)]! : -0
        const high = five ? view.getUint32(p + low - 4, true) : 0
        for (let i = 0; i < 16; i++) {
          const q = view.getUint8(p + low + i)
          out[at + i] = d * (((q & 15) | (((high >>> i) & 1) << 4)) - middle) + m
          out[at + 16 + i] = d * (((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) - middle) + m
        }
      }
    },
  }
}

/** Every format that can be read, by its usual name. */
export const NUMBER_FORMATS: Readonly<Record<string, NumberFormat>> = {
  F32,
  F16,
  BF16,
  Q8_0,
  Q4_0: nibbles(false, false),
  Q4_1: nibbles(false, true),
  Q5_0: nibbles(true, false),
  Q5_1: nibbles(true, true),
  ...K_QUANTS,
}
