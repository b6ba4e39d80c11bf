/**
 * BurstGPT's arrivals, of which every tenth is public here, with the nine between drawn evenly, and lengths drawn from the
 * percentiles published of its first 59,999 rows. A seed is a trace.
 * @module
 */
import { VolleyError } from '../errors.ts'
import { uniforms } from './synthetic.ts'
import { type Arrival, linesOf } from './trace.ts'

/** Share -> tokens, linear in the logarithm between; the last is the longest that is kept. */
const INPUT = [[0, 1], [0.5, 74], [0.9, 1_291], [0.95, 1_697], [0.99, 3_023], [1, 6_142]] as const
const OUTPUT = [[0, 1], [0.5, 14], [0.9, 401], [0.95, 510], [0.99, 757], [1, 2_000]] as const
const EVERY = 10

/** Some arrivals at a time; time 0 = the first. Error: `invalid_flag`. */
export async function* drawBurstgpt(file: string, seed: number): AsyncGenerator<Arrival[]> {
  const wrong = (what: string) =>
    new VolleyError('invalid_flag', `Cannot read BurstGPT arrivals from ${file}: ${what}`, {
      param: 'trace',
      remedy: 'give CSV with the columns row,timestamp_s, every tenth arrival, plain or gzip',
    })
  let first: number | undefined
  let lastS: number | undefined
  let drawn = 0
  for await (const lines of linesOf(file, wrong)) {
    const batch: Arrival[] = []
    for (const line of lines) {
      if (line.trim() === '' || line.startsWith('row')) continue
      const atS = Number(line.split(',')[1])
      if (!(atS >= (lastS ?? 0))) throw wrong(`"${line.slice(0, 60)}" is no arrival after the one above it`)
      first ??= atS
      if (lastS !== undefined) {
        const draws = Array.from({ length: EVERY }, () => uniforms(drawn++, seed))
        const gaps = draws.map(([at]) => at).sort((a, b) => a - b)
        const [from, span] = [lastS - first, atS - lastS]
        draws.forEach(([, input, output], at) =>
          batch.push({
            atMs: (from + span * gaps[at]!) * 1_000,
            input: quantile(INPUT, input),
            output: quantile(OUTPUT, output),
          })
        )
      }
      lastS = atS
    }
    yield batch
  }
  if (drawn === 0) throw wrong('it has fewer than two arrivals')
}

function quantile(table: readonly (readonly [number, number])[], share: number): number {
  const next = Math.max(1, table.findIndex(([p]) => p >= share))
  const [[p0, low], [p1, high]] = [table[next - 1]!, table[next]!]
  return Math.round(low * (high / low) ** ((share - p0) / (p1 - p0)))
}
