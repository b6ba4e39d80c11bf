/**
 * A cost profile out of measured iterations: the law of profile.ts by least squares of the relative error.
 * Knows nothing of where the measurements come from.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { CostProfile } from './profile.ts'

/** One measured iteration. */
export interface IterationSample {
  /** Prefill tokens in it, and the sum of (k + x)² - k² over its chunks of x tokens after k. */
  tokens: number
  pairs: number
  /** Tokens resident in the decodes, and how many decodes. */
  resident: number
  sequences: number
  ms: number
  /** How much it counts. @default {1} */
  weight?: number
}

/** What a fit finds: all of a profile but its name, its memory and its encode. */
export type CostLaw = Omit<CostProfile, 'name' | 'perTileMs' | 'kvTokens' | 'kvBytesPerToken'>

const row = (
  { tokens, pairs, resident, sequences }: IterationSample,
): number[] => [1, tokens, pairs, resident, sequences]

/** Fits the law; no coefficient is negative. Error: `invalid_request` when the samples do not tell its terms apart. */
export function fitCosts(samples: readonly IterationSample[]): CostLaw {
  const [base, token, pair, resident, sequence] = fitLinear(samples.map((s) => ({ ...s, row: row(s) })))
  return {
    baseMs: base!,
    perTokenMs: token!,
    perPairMs: pair!,
    perResidentMs: resident!,
    perSequenceMs: sequence!,
  }
}

/** A measured time and the terms whose weighted sum it is taken to be. */
export interface LinearSample {
  row: readonly number[]
  ms: number
  weight?: number
}

/**
 * The weights of the terms, none negative, by least squares of the relative error. Error: `invalid_request` when the
 * samples do not tell the terms apart.
 */
export function fitLinear(samples: readonly LinearSample[]): number[] {
  const terms = samples[0]?.row.length ?? 0
  const columns = Array.from({ length: terms }, (_, at) => at)
  for (;;) {
    const found = leastSquares(samples, columns)
    const lowest = found.indexOf(Math.min(...found))
    if (found[lowest]! >= 0) return Array.from({ length: terms }, (_, at) => found[columns.indexOf(at)] ?? 0)
    columns.splice(lowest, 1)
  }
}

/** Minimises the weighted sum of ((row · x - ms) / ms)² over some columns, by the normal equations. */
function leastSquares(samples: readonly LinearSample[], columns: readonly number[]): number[] {
  const n = columns.length
  const matrix = columns.map(() => Array<number>(n + 1).fill(0))
  // Columns differ by many orders of magnitude, and times by their unit: each is scaled to 1.
  const scale = columns.map((c) => samples.reduce((most, s) => Math.max(most, s.row[c]! / s.ms), 0))
  for (const sample of samples) {
    const { row: values, weight = 1 } = sample
    const scaled = columns.map((c, at) => values[c]! / sample.ms / scale[at]!)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) matrix[i]![j]! += scaled[i]! * scaled[j]! * weight
      matrix[i]![n]! += scaled[i]! * weight
    }
  }
  return solve(matrix).map((value, at) => value / scale[at]!)
}

/** Gauss-Jordan elimination of an n x (n + 1) system. */
function solve(matrix: number[][]): number[] {
  const n = matrix.length
  for (let at = 0; at < n; at++) {
    let pivot = at
    for (let r = at + 1; r < n; r++) if (Math.abs(matrix[r]![at]!) > Math.abs(matrix[pivot]![at]!)) pivot = r
    ;[matrix[at], matrix[pivot]] = [matrix[pivot]!, matrix[at]!]
    const head = matrix[at]!
    if (!(Math.abs(head[at]!) > 1e-12)) {
      throw new VolleyError(
        'invalid_request',
        'Cannot fit a cost profile: the measurements do not tell its terms apart',
        {
          remedy: 'measure prefills and decodes of several lengths and batch sizes',
        },
      )
    }
    for (const other of matrix) {
      if (other === head) continue
      const factor = other[at]! / head[at]!
      for (let c = at; c <= n; c++) other[c]! -= factor * head[c]!
    }
  }
  return matrix.map((line, at) => line[n]! / line[at]!)
}
