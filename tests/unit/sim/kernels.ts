/** Iterations put together from measured kernel times: every layer of a model, mixed batches included. @module */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { IterationSample } from '../../../runtime/sim/fit.ts'

const rows = (file: string): string[][] =>
  gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n').slice(1).map((line) => line.trim().split(','))

/** Layers by name, each a curve of microseconds. */
function curves(file: string): Map<string, [number, number][]> {
  const all = new Map<string, [number, number][]>()
  for (const [name, x, us] of rows(file)) all.set(name!, [...(all.get(name!) ?? []), [Number(x), Number(us)]])
  for (const curve of all.values()) curve.sort((a, b) => a[0] - b[0])
  return all
}

function at(curve: readonly [number, number][], x: number): number {
  const next = curve.findIndex(([known]) => known >= x)
  if (next < 0) return curve.at(-1)![1]
  const [[x1, y1], [x0, y0]] = [curve[next]!, curve[Math.max(0, next - 1)]!]
  return x1 === x0 ? y1 : y0 + (y1 - y0) * (x - x0) / (x1 - x0)
}

/** How often a kernel runs in one layer; those not named run once in each. */
const ONCE = ['embedding', 'final_layernorm']

/** Whole iterations of a model with so many layers, from the tables `PREFIX_{attention,dense,per_sequence}.csv.gz`. */
export function iterations(prefix: string, layers: number): IterationSample[] {
  const dense = curves(`${prefix}_dense.csv.gz`)
  const perSequence = curves(`${prefix}_per_sequence.csv.gz`)
  const samples: IterationSample[] = []
  for (const [chunk, past, decodes, context, us] of rows(`${prefix}_attention.csv.gz`).map((row) => row.map(Number))) {
    const [x, k, n, kv] = [chunk!, past!, decodes!, context!]
    if (n > 0 ? kv === 0 : x === 0) continue
    let total = layers * us!
    for (const [name, curve] of dense) {
      total += at(curve, x + n) * (ONCE.includes(name) ? 1 : name === 'layernorm' ? 2 * layers : layers)
    }
    for (const curve of perSequence.values()) total += at(curve, n + (x > 0 ? 1 : 0))
    samples.push({ tokens: x, pairs: x * (2 * k + x), resident: n * kv, sequences: n, ms: total / 1_000 })
  }
  return samples
}

/** The same, so that iterations of prefill alone, of decode alone and mixed ones count alike. */
export function balanced(samples: readonly IterationSample[]): IterationSample[] {
  const kind = (
    { tokens, sequences }: IterationSample,
  ) => (tokens === 0 ? 'decode' : sequences === 0 ? 'prefill' : 'mixed')
  const sizes = new Map<string, number>()
  for (const sample of samples) sizes.set(kind(sample), (sizes.get(kind(sample)) ?? 0) + 1)
  return samples.map((sample) => ({ ...sample, weight: 1 / sizes.get(kind(sample))! }))
}
