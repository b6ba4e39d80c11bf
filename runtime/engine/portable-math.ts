/**
 * Elementary functions made of IEEE additions and multiplications only, so that they give the same bits in every
 * runtime: ECMAScript leaves `Math.pow`, `Math.sin` and their like to the implementation, and versions of Node differ.
 * Good to about 1e-15.
 * @module
 */
import { expNegative } from './sampler-exp.ts'

const BY_QUARTER = 2 / Math.PI
/** Pi / 2 in three parts: the first two have trailing zeros, so that multiples of them below 2^20 are exact. */
const [QUARTER_HIGH, QUARTER_MIDDLE, QUARTER_LOW] = [
  1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21,
]
/** Reciprocals of factorials with alternating signs: Taylor series of sin and cos behind their first terms. */
const SIN = series(3)
const COS = series(2)

function series(first: number): number[] {
  const terms: number[] = []
  for (let n = first, sign = -1; n < 20; n += 2, sign = -sign) {
    let factorial = 1
    for (let i = 2; i <= n; i++) factorial *= i
    terms.push(sign / factorial)
  }
  return terms
}

function sum(terms: readonly number[], square: number): number {
  let value = 0
  for (let i = terms.length - 1; i >= 0; i--) value = value * square + terms[i]!
  return value
}

/** Cosine and sine of an angle of 0 .. 10^6 radians. */
export function cosSin(angle: number): [cos: number, sin: number] {
  const quarters = Math.floor(angle * BY_QUARTER + 0.5)
  const x = angle - quarters * QUARTER_HIGH - quarters * QUARTER_MIDDLE - quarters * QUARTER_LOW
  const square = x * x
  const cos = 1 + square * sum(COS, square)
  const sin = x + x * square * sum(SIN, square)
  const turns = quarters % 4
  return turns === 0 ? [cos, sin] : turns === 1 ? [-sin, cos] : turns === 2 ? [-cos, -sin] : [sin, -cos]
}

/** base^-exponent, for a base of at least 1 and an exponent of 0 .. 1. */
export function powNegative(base: number, exponent: number): number {
  return expNegative(-exponent * logarithm(base))
}

/** Natural logarithm of a number of at least 1: the zero of x e^-y - 1, by Newton's method. */
function logarithm(x: number): number {
  let y = 0
  for (let rest = x; rest >= 2; rest /= 2) y += Math.LN2
  for (let i = 0; i < 8; i++) y += x * expNegative(-y) - 1
  return y
}
