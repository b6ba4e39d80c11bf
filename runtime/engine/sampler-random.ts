/**
 * Random numbers without state: Philox 4x32-10, a counter-based generator. A number depends on its key and counter
 * alone, so a resumed or moved request draws what it would have drawn anyway.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 * @module
 */

const MULTIPLY_0 = 0xd2511f53
const MULTIPLY_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85
const ROUNDS = 10

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit numbers; the lower ones are `Math.imul`. */
function multiplyHigh(a: number, b: number): number {
  const [aHigh, aLow, bHigh, bLow] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff]
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle % 0x10000)
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0
}

/** Four unsigned 32-bit words out of a 128-bit counter and a 64-bit key. */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLY_0, c0)
    const high1 = multiplyHigh(MULTIPLY_1, c2)
    const low0 = Math.imul(MULTIPLY_0, c0)
    const low1 = Math.imul(MULTIPLY_1, c2)
    ;[c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0]
    k0 = (k0 + WEYL_0) >>> 0
    k1 = (k1 + WEYL_1) >>> 0
  }
  return [c0, c1, c2, c3]
}

/** The uniform number in [0, 1) of one token of one choice, 53 bits. All arguments: unsigned 32-bit integers. */
export function uniform(seed: number, choice: number, index: number): number {
  const [a, b] = philox4x32([index >>> 0, 0, 0, 0], [seed >>> 0, choice >>> 0])
  return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000
}
