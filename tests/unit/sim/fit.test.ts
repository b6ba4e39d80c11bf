import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { iterationMs, policyOf } from '../../../runtime/policy/mod.ts'
import { fitCosts, type IterationSample } from '../../../runtime/sim/fit.ts'
import { profileOf, Simulation } from '../../../runtime/sim/mod.ts'
import { sharedData } from '../../helpers/model-files.ts'
import { balanced, iterations } from './kernels.ts'

const profile = profileOf('8b')
const sample = (tokens: number, pairs: number, resident: number, sequences: number): IterationSample => ({
  tokens,
  pairs,
  resident,
  sequences,
  ms: iterationMs(profile, tokens, pairs, resident, sequences),
})

describe('fitCosts()', () => {
  test('finds the law that made its samples', () => {
    const samples = [[100, 1e4, 0, 0], [2_000, 4e6, 0, 0], [0, 0, 5_000, 8], [0, 0, 90_000, 64], [
      512,
      3e6,
      20_000,
      200,
    ], [0, 0, 400_000, 20]]
      .map(([a, b, c, d]) => sample(a!, b!, c!, d!))
    const law = fitCosts(samples)
    for (const key of ['baseMs', 'perTokenMs', 'perPairMs', 'perResidentMs', 'perSequenceMs'] as const) {
      expect(law[key] / profile[key], key).toBeCloseTo(1, 6)
    }
  })

  test('has no negative terms, whatever was measured', () => {
    const law = fitCosts(
      [1, 2, 3, 4, 5, 6].map((n) => ({
        tokens: n,
        pairs: n ** 2,
        resident: (n * 7) % 5,
        sequences: (n * 3) % 4,
        ms: 20 - n,
      })),
    )
    expect(Math.min(...Object.values(law))).toBeGreaterThanOrEqual(0)
  })

  test('says when the samples cannot tell', () => {
    expect(() => fitCosts([sample(1, 1, 1, 1), sample(1, 1, 1, 1)])).toThrow(/do not tell its terms apart/)
  })
})

const kernels = sharedData('profiles/kernels_rtxpro6000_llama3_1_8b_dense.csv.gz')
describe.skipIf(kernels === undefined)('the measured profile', () => {
  test('is the fit of the kernel times: decode within 5 %, prefill within 11 %', () => {
    const samples = iterations(kernels!.replace('_dense.csv.gz', ''), 32).filter((s) =>
      s.resident <= 700_000 && s.tokens + s.sequences <= 2_100
    )
    const law = fitCosts(balanced(samples))
    const shipped = profileOf('rtxpro6000-8b')
    for (const [key, value] of Object.entries(law)) {
      expect(shipped[key as keyof typeof law]! / value, key).toBeCloseTo(1, 2)
    }
    const error = (of: IterationSample[]) =>
      of.reduce(
        (sum, s) => sum + Math.abs(iterationMs(shipped, s.tokens, s.pairs, s.resident, s.sequences) / s.ms - 1),
        0,
      ) / of.length
    expect(error(samples.filter((s) => s.tokens === 0))).toBeLessThan(0.05)
    expect(error(samples.filter((s) => s.sequences === 0))).toBeLessThan(0.11)
  })

  test('simulates the vLLM run that was measured on the same card', () => {
    const rows = readFileSync(sharedData('profiles/vllm_run_rtxpro6000_llama3_1_8b_requests.csv')!, 'utf8').trim()
      .split('\n').slice(1)
      .map((line) => line.split(',').map(Number) as [number, number, number, number, number, number, number, number])
      .sort((a, b) => a[4] - b[4])
    const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length
    const ttft: number[] = []
    const tpot: number[] = []
    const simulation = new Simulation({
      policy: policyOf('colocated'),
      profile: profileOf('rtxpro6000-8b'),
      slo: { ttftMs: 1, tpotMs: 1 },
      labels: [undefined],
      // The run's own settings: 2048 tokens an iteration, up to 128 of them decodes.
      batching: { chunkTokens: 1_920 },
      maxSequences: 128,
      onDone: ({ firstMs, arrivedMs, output }, nowMs) => {
        ttft.push(firstMs - arrivedMs)
        tpot.push((nowMs - firstMs) / (output - 1))
      },
    })
    for (const [, , input, output, queuedS] of rows) simulation.offer(queuedS * 1_000, input, output)
    expect(simulation.finish().finished).toBe(300)
    const errors = [
      mean(ttft) / mean(rows.map((r) => (r[6] - r[4]) * 1_000)) - 1,
      mean(tpot) / mean(rows.map((r) => (r[7] - r[6]) * 1_000 / (r[3] - 1))) - 1,
    ]
    console.log(
      `against the vLLM run: mean TTFT ${(100 * errors[0]!).toFixed(1)} %, mean TPOT ${
        (100 * errors[1]!).toFixed(1)
      } %`,
    )
    expect(Math.abs(errors[0]!)).toBeLessThan(0.15)
    expect(Math.abs(errors[1]!)).toBeLessThan(0.1)
  })
})
