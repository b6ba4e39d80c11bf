/**
 * An exponential function made of additions and multiplications only, so that it gives the same bits on every engine
 * (ECMAScript leaves `Math.exp` to the implementation). Good to about 1e-15 relative.
 * @module
 */

const LOG2_E = 1.4426950408889634
/** ln 2 in two parts: the first has trailing zeros, so that multiples of it below 2^20 are exact. */
const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
/** Below this the result rounds to 0 for our purposes (e^-700 is about 1e-304). */
const SMALLEST = -700

const bits = new DataView(new ArrayBuffer(8))

/** 2^k for -1022 <= k <= 1023, exactly. */
function powerOfTwo(k: number): number {
  bits.setUint32(0, (k + 1023) << 20)
  bits.setUint32(4, 0)
  return bits.getFloat64(0)
}

/** Inverse factorials 1/13! .. 1/2!. */
const COEFFICIENTS: number[] = []
for (let n = 13, factorial = 6227020800; n >= 2; factorial /= n, n--) COEFFICIENTS.push(1 / factorial)

/** e^x for x <= 0 (weights relative to the most likely token). */
export function expNegative(x: number): number {
  if (!(x >= SMALLEST)) return 0
  const k = Math.round(x * LOG2_E)
  const r = x - k * LN2_HIGH - k * LN2_LOW
  let sum = 0
  for (const coefficient of COEFFICIENTS) sum = sum * r + coefficient
  return (sum * r * r + r + 1) * powerOfTwo(k)
}
