/**
 * float16 to float32. Knows nothing of blocks or files.
 * @module
 */
let halves: Float32Array | undefined

/** float16 bit patterns to float32, as a table of 65536 (256 KiB, built once: decoding is then one load). */
export function halfTable(): Float32Array {
  if (halves) return halves
  halves = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    const magnitude = exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
      ? (fraction ? NaN : Infinity)
      : (1 + fraction / 1024) * 2 ** (exponent - 15)
    halves[bits] = bits & 0x8000 ? -magnitude : magnitude
  }
  return halves
}
