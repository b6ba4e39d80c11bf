/**
 * What an instance's work costs: one law for a mixed iteration, and what follows from it. The numbers are measured,
 * fitted or assumed elsewhere; policies predict with them and the simulator's engines run by them.
 * @module
 */

/**
 * Iteration time = base + perToken x + perPair ((k + x)² - k²) summed over chunks of x tokens after k already there, +
 * perResident tokens resident in the decode batch + perSequence decodes. Prefill is so near quadratic, decode linear.
 */
export interface CostProfile {
  readonly name: string
  readonly baseMs: number
  readonly perTokenMs: number
  readonly perPairMs: number
  readonly perResidentMs: number
  readonly perSequenceMs: number
  /** Encoding one tile of an image; left out = nobody has measured it. */
  readonly perTileMs?: number
  /** Tokens whose KV fits. */
  readonly kvTokens: number
  readonly kvBytesPerToken: number
}

/**
 * An instance nobody has measured: a millisecond a token, limited by its memory alone. Ratios of waits still mean
 * something.
 */
export const unmeasured = (kvTokens: number): CostProfile => ({
  name: 'unmeasured',
  baseMs: 0,
  perTokenMs: 1,
  perPairMs: 0,
  perResidentMs: 0,
  perSequenceMs: 0,
  kvTokens,
  kvBytesPerToken: 0,
})

/** Share of the KV memory a policy fills on purpose. */
const KV_SHARE = 0.95
/** Tokens a resident sequence is taken to hold, where a batch size must be guessed from tokens. */
const TOKENS_PER_SEQUENCE = 2_000

/** Predicted time to prefill `tokens` more of a prompt of which `done` are there, in ms: T(r, i). */
export const prefillMs = (p: CostProfile, tokens: number, done = 0): number =>
  p.baseMs + p.perTokenMs * tokens + p.perPairMs * tokens * (2 * done + tokens)

/** Tokens a tile is taken to cost as much as, where nobody has measured it. */
const TOKENS_PER_TILE = 256

/** Predicted time to encode so many tiles, in ms. */
export const encodeMs = (p: CostProfile, tiles: number): number =>
  tiles * (p.perTileMs ?? TOKENS_PER_TILE * p.perTokenMs)

/** Time of an iteration in ms; `pairs` = sum of (k + x)² - k² over its chunks. */
export const iterationMs = (
  p: CostProfile,
  tokens: number,
  pairs: number,
  resident: number,
  sequences: number,
): number =>
  p.baseMs + p.perTokenMs * tokens + p.perPairMs * pairs + p.perResidentMs * resident + p.perSequenceMs * sequences

/** Most resident tokens that keep an iteration within `tpotMs` and the memory: MT(i, SLO). */
export const residentLimit = (p: CostProfile, tpotMs: number): number =>
  Math.min(
    KV_SHARE * p.kvTokens,
    // Where a resident token costs nothing, memory alone limits.
    Math.max(0, tpotMs - p.baseMs) / (p.perResidentMs + p.perSequenceMs / TOKENS_PER_SEQUENCE || Number.EPSILON),
  )
