/**
 * An exponential function made of IEEE additions, multiplications and square roots only, so that it gives the same bits
 * on every engine (ECMAScript leaves `Math.exp` to the implementation). Good to about 1e-15 relative.
 * @module
 */

const STEPS = 64
const STEPS_BY_LN2 = STEPS * 1.4426950408889634
/** ln 2 / 64 in two parts: the first has trailing zeros, so that multiples of it below 2^20 are exact. */
const STEP_HIGH = 0.6931471803691238 / STEPS
const STEP_LOW = 1.9082149292705877e-10 / STEPS
/** Below this the result counts as 0: e^-700 is about 1e-304. */
const SMALLEST = -700

/** 2^(j / 64) for j = 0 .. 63: products of 2^(1/2), 2^(1/4), … which square roots give. */
const FRACTIONS = new Float64Array(STEPS).fill(1)
for (let bit = STEPS / 2, root = Math.sqrt(2); bit >= 1; bit /= 2, root = Math.sqrt(root)) {
  for (let j = 0; j < STEPS; j++) if (j & bit) FRACTIONS[j]! *= root
}
/** 2^-e for e = 0 .. 1022. */
const HALVES = new Float64Array(1023).fill(1)
for (let e = 1; e < HALVES.length; e++) HALVES[e] = HALVES[e - 1]! / 2

/** e^x for x <= 0 (weights relative to the most likely token): 2^(k/64) times a short Taylor series of the rest. */
export function expNegative(x: number): number {
  if (!(x >= SMALLEST)) return 0
  const k = Math.floor(x * STEPS_BY_LN2 + 0.5)
  const r = x - k * STEP_HIGH - k * STEP_LOW
  const series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r / 120))))
  return series * FRACTIONS[k & (STEPS - 1)]! * HALVES[-(k >> 6)]!
}
