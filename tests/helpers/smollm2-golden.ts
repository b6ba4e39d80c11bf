/**
 * SmolLM2's real weights against what transformers computes from them in float64: logits, greedy tokens, perplexity.
 * @module
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Forward } from '../../runtime/engine/forward.ts'
import { argmax, poolFor } from './sequence.ts'

/** The reference's arithmetic is float64: a float32 engine agrees wherever the margin is above this. */
const MARGIN = 2e-3

interface Golden {
  cases: { kind: string; input_ids: number[]; top8_last_positions: [number, number][][]; greedy: number[]; margins: number[] }[]
  perplexity: { window: number; perplexity: number }
  perplexity_ids: number[]
}

export const readGolden = (path: string): Golden => JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as Golden

export interface Agreement {
  /** Largest difference of a logit that the golden lists. */
  worstLogit: number
  /** Greedy tokens compared, up to the first margin that is too small, and those that differ. */
  compared: number
  different: number
}

/** Runs all cases side by side, `steps` greedy tokens each. */
export async function compareCases(forward: Forward, { cases }: Golden, steps: number): Promise<Agreement> {
  const { vocabSize } = forward.config
  const blocksOf = cases.map((c) => Math.ceil((c.input_ids.length + steps) / 16))
  const pool = poolFor(forward, blocksOf.reduce((a, b) => a + b, 0))
  let nextBlock = 0
  const tables = blocksOf.map((blocks) => Array.from({ length: blocks }, () => nextBlock++))
  const found: Agreement = { worstLogit: 0, compared: 0, different: 0 }
  const last: number[] = []
  for (const [i, c] of cases.entries()) {
    const [rows] = (await forward.run([{ tokens: c.input_ids, start: 0, table: tables[i]!, logits: 'all' }], pool)) as [Float32Array]
    const first = c.input_ids.length - c.top8_last_positions.length
    c.top8_last_positions.forEach((top, p) => {
      for (const [id, value] of top) found.worstLogit = Math.max(found.worstLogit, Math.abs(rows[(first + p) * vocabSize + id]! - value))
    })
    last.push(argmax(rows.subarray((c.input_ids.length - 1) * vocabSize)))
  }
  // A sequence is compared until its reference ends or is too close to call.
  const alive = cases.map(() => true)
  for (let step = 0; step < steps; step++) {
    for (const [i, c] of cases.entries()) {
      if (!alive[i]) continue
      if (step >= c.greedy.length || c.margins[step]! < MARGIN) alive[i] = false
      else {
        found.compared++
        if (last[i] !== c.greedy[step]) {
          found.different++
          alive[i] = false
        }
      }
    }
    const open = [...cases.keys()].filter((i) => alive[i])
    if (open.length === 0) break
    const chunks = open.map((i) => ({ tokens: [last[i]!], start: cases[i]!.input_ids.length + step, table: tables[i]!, logits: 'last' as const }))
    const rows = await forward.run(chunks, pool)
    open.forEach((i, at) => (last[i] = argmax(rows[at]!)))
  }
  return found
}

/** Perplexity over the golden's text, window by window. */
export async function perplexity(forward: Forward, golden: Golden): Promise<number> {
  const { vocabSize } = forward.config
  const { window } = golden.perplexity
  const pool = poolFor(forward, window / 16)
  const table = Array.from({ length: window / 16 }, (_, i) => i)
  let sum = 0
  let scored = 0
  for (let at = 0; at < golden.perplexity_ids.length; at += window) {
    const tokens = golden.perplexity_ids.slice(at, at + window)
    const [rows] = (await forward.run([{ tokens, start: 0, table, logits: 'all' }], pool)) as [Float32Array]
    for (let p = 0; p + 1 < tokens.length; p++) {
      const row = rows.subarray(p * vocabSize, (p + 1) * vocabSize)
      const max = row.reduce((a, b) => Math.max(a, b), -Infinity)
      const total = row.reduce((a, b) => a + Math.exp(b - max), 0)
      sum += Math.log(total) + max - row[tokens[p + 1]!]!
      scored++
    }
  }
  return Math.exp(sum / scored)
}
