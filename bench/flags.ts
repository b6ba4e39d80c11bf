/**
 * Flags of the benchmarks: `--name value` pairs, checked strictly, and figures as JSON lines.
 * @module
 */
import { parseArgs } from 'node:util'
import { nearest } from '../runtime/config/mod.ts'
import { VolleyError } from '../runtime/errors.ts'

/** Reads `--name value` flags over defaults; `--json` is understood by all. Errors: `unknown_flag`, `invalid_flag`. */
export function benchFlags<T extends Record<string, string>>(argv: readonly string[], defaults: T): T & { json: boolean } {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: 'string' as const }]))
  const { tokens } = parseArgs({ args: [...argv], options: { ...options, json: { type: 'boolean' } }, strict: false, tokens: true })
  const out: Record<string, string | boolean> = { ...defaults, json: false }
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    if (token.name === 'json') out['json'] = true
    else if (!(token.name in defaults)) {
      const close = nearest(token.name, [...Object.keys(defaults), 'json'])
      throw new VolleyError('unknown_flag', `Unknown flag --${token.name}`, { remedy: close ? `did you mean --${close}?` : 'see the head of the file in bench/' })
    } else if (token.value === undefined) throw new VolleyError('invalid_flag', `--${token.name} needs a value`)
    else out[token.name] = token.value
  }
  return out as T & { json: boolean }
}

/** A whole number of at least 1. Error: `invalid_flag`. */
export function count(flag: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new VolleyError('invalid_flag', `--${flag} must be a whole number of at least 1, not "${text}"`, { param: flag })
}

/** Whole numbers, separated by commas. Error: `invalid_flag`. */
export const counts = (flag: string, text: string): number[] => text.split(',').map((part) => count(flag, part))

/** Value below which a share `p` (0..1) of the values lies, linear between order statistics. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * p
  const low = sorted[Math.floor(at)] ?? NaN
  const high = sorted[Math.ceil(at)] ?? NaN
  return low + (high - low) * (at - Math.floor(at))
}

export const round = (value: number, digits = 3): number => Number(value.toFixed(digits))

/** One figure: a JSON line on stdout, or the same as words. */
export function print(json: boolean, figure: Record<string, unknown>): void {
  const words = Object.entries(figure).map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
  process.stdout.write((json ? JSON.stringify(figure) : words.join('  ')) + '\n')
}
