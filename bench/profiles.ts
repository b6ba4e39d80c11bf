/**
 * Packs tables of measured kernel times into the profiles that ship: fits runtime/sim/kernels.ts and the law that
 * policies predict with, and writes them with source, licence and error of the fit; and the measured runs beside them.
 *
 *     volley bench profiles [--from ../shared/data/profiles] [--to runtime/sim]
 * @module
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fitCosts, fitLinear, type IterationSample } from '../runtime/policy/fit.ts'
import { type Curve, curveMs, type KernelLaw, kernelMs } from '../runtime/sim/kernels.ts'
import type { PackedProfile } from '../runtime/sim/profiles.ts'
import { projectRoot } from '../runtime/platform.ts'
import { benchFlags } from './flags.ts'
import { packRuns } from './profile-runs.ts'
import { aicTables, type AttentionSample, servingSimTables, type Shape, type Tables } from './profile-tables.ts'

const LLAMA_8B: Shape = { layers: 32, hidden: 4_096, heads: 32, kvHeads: 8, cards: 1 }
const QWEN_32B: Shape = { layers: 64, hidden: 5_120, heads: 32, kvHeads: 4, cards: 2 }
const LLAMA_70B: Shape = { layers: 80, hidden: 8_192, heads: 16, kvHeads: 2, cards: 4 }

/**
 * The two cards of the Qwen run talk over PCIe without a path of their own. Found from its first 18 requests, before there
 * is a queue: full iterations of 2,048 tokens take 356 ms, their kernels 188 ms, for 2 x 64 all-reduces of 21 MB.
 */
const PCIE_BYTES_PER_MS = 16e6
const overPcie = ({ layers, hidden }: Shape): Curve => [[0, 0], [1, 2 * layers * 2 * hidden / PCIE_BYTES_PER_MS]]

interface Source extends Pick<PackedProfile, 'name' | 'gpu' | 'model' | 'source' | 'licence' | 'kvTokens'> {
  shape: Shape
  /** Most resident tokens that are fitted. */
  resident: number
  tables(folder: string): Tables
}

const servingSim = (prefix: string, shape: Shape, exchange?: Curve) => (folder: string): Tables => ({
  ...servingSimTables(folder, prefix, shape),
  ...(exchange && { exchange }),
})
const SERVING_SIM = 'kernel times under vLLM 0.19, LLMServingSim profiler/perf'
const H100 = 'layer times of LLMServingSim; attention and all-reduce under vLLM 0.19, aiconfigurator'

/** KV tokens: as the engine said, else what 90 % of the memory leaves beside the weights. */
const SOURCES: readonly Source[] = [
  {
    name: 'rtxpro6000-8b',
    gpu: 'RTX PRO 6000',
    model: 'Llama 3.1 8B',
    source: SERVING_SIM,
    licence: 'MIT',
    kvTokens: 530_000,
    resident: 300_000,
    shape: LLAMA_8B,
    tables: servingSim('kernels_rtxpro6000_llama3_1_8b', LLAMA_8B),
  },
  {
    name: 'rtxpro6000x2-32b',
    gpu: '2 x RTX PRO 6000',
    model: 'Qwen3 32B',
    licence: 'MIT',
    source: `${SERVING_SIM}; exchange between the cards from the first requests of a run`,
    kvTokens: 400_000,
    resident: 300_000,
    shape: QWEN_32B,
    tables: servingSim('kernels_rtxpro6000_qwen3_32b_tp2', QWEN_32B, overPcie(QWEN_32B)),
  },
  {
    name: 'rtx4090-8b',
    gpu: 'RTX 4090',
    model: 'Llama 3.1 8B',
    source: SERVING_SIM,
    licence: 'MIT',
    kvTokens: 41_408,
    resident: 60_000,
    shape: LLAMA_8B,
    tables: servingSim('kernels_rtx4090_llama3_1_8b', LLAMA_8B),
  },
  {
    name: 'h100-8b',
    gpu: 'H100 SXM',
    model: 'Llama 3.1 8B',
    source: H100,
    licence: 'MIT, Apache-2.0',
    kvTokens: 467_000,
    resident: 500_000,
    shape: LLAMA_8B,
    tables: (folder) => aicTables(folder, 'kernels_h100_llama3_1_8b_tp1_layers.csv.gz', 'h100_sxm', LLAMA_8B),
  },
  {
    name: 'h100x4-70b',
    gpu: '4 x H100 SXM',
    model: 'Llama 3.1 70B',
    source: H100,
    licence: 'MIT, Apache-2.0',
    kvTokens: 512_000,
    resident: 500_000,
    shape: LLAMA_70B,
    tables: (folder) => aicTables(folder, 'kernels_h100_llama3_1_70b_tp4_layers.csv.gz', 'h100_sxm', LLAMA_70B),
  },
]

/** Chunks of more tokens than this are not fitted. */
const MAX_CHUNK = 2_048
const digits = (value: number): number => Number(value.toPrecision(4))
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length

/** All profiles, from the folder of their tables. */
export const packProfiles = (folder: string): PackedProfile[] => SOURCES.map((source) => pack(source, folder))

function pack({ name, gpu, model, source, licence, kvTokens, resident, shape, tables }: Source, folder: string) {
  const table = tables(folder)
  const samples = table.attention.filter((s) => s.n * s.kv <= resident && s.chunks * s.x <= MAX_CHUNK)
  const of = { prefill: samples.filter(isPrefill), decode: samples.filter(isDecode), mixed: samples.filter(isMixed) }
  const fitted = (kind: AttentionSample[], row: (s: AttentionSample) => number[]) =>
    fitLinear(kind.map((s) => ({ row: row(s), ms: s.ms }))).map(digits)
  const kernels: KernelLaw = {
    dense: simplified(table.dense),
    head: simplified(table.head),
    // Tables without context cannot tell a token of it from a token of the chunk.
    prefill:
      (of.prefill.some(({ k }) => k > 0)
        ? fitted(of.prefill, (s) => [1, ...chunkTerms(s)])
        : [...fitted(of.prefill, (s) => [1, ...chunkTerms(s).slice(0, 2)]), 0]) as [number, number, number, number],
    decode: fitted(of.decode, (s) => [1, s.n * s.kv, s.n]) as [number, number, number],
    mixed: of.mixed.length === 0 ? null : fitted(
      of.mixed,
      (s) => [1, ...chunkTerms(s), s.n * s.kv, s.n, s.n * s.x],
    ) as [number, number, number, number, number, number, number],
    ...(table.exchange && { exchange: simplified(table.exchange) }),
  }
  const whole = (s: AttentionSample) =>
    s.ms + curveMs(table.dense, s.chunks * s.x + s.n) + curveMs(table.head, Math.max(1, s.n)) +
    (table.exchange ? curveMs(table.exchange, s.chunks * s.x + s.n) : 0)
  const error = (kind: AttentionSample[]) =>
    kind.length === 0 ? null : digits(mean(kind.map((s) => Math.abs(kernelMs(kernels, workOf(s)) / whole(s) - 1))))
  const iterations = (Object.values(of)).flatMap((kind) =>
    kind.map((s): IterationSample => ({
      tokens: s.chunks * s.x,
      pairs: s.chunks * s.x * (2 * s.k + s.x),
      resident: s.n * s.kv,
      sequences: s.n,
      ms: whole(s),
      weight: 1 / kind.length,
    }))
  )
  const costs = Object.fromEntries(Object.entries(fitCosts(iterations)).map(([key, ms]) => [key, digits(ms)]))
  return {
    name,
    gpu,
    model,
    source,
    licence,
    ...(costs as ReturnType<typeof fitCosts>),
    kvTokens,
    kvBytesPerToken: shape.layers * shape.kvHeads * shape.cards * 128 * 2 * 2,
    error: { prefill: error(of.prefill), decode: error(of.decode), mixed: error(of.mixed) },
    kernels,
  }
}

const isPrefill = (s: AttentionSample) => s.chunks > 0 && s.n === 0
const isDecode = (s: AttentionSample) => s.chunks === 0
const isMixed = (s: AttentionSample) => s.chunks > 0 && s.n > 0
const chunkTerms = (
  { chunks, x, k }: AttentionSample,
): number[] => [chunks * x * (2 * k + x), chunks * (k + x), chunks * x]
const workOf = (s: AttentionSample) => {
  const [pairs, context, tokens] = chunkTerms(s) as [number, number, number]
  return { tokens, pairs, context, longest: s.chunks > 0 ? s.x : 0, resident: s.n * s.kv, sequences: s.n }
}

/** Fewest knots that stay within 1 % of every point, by halving where it is worst. */
function simplified(curve: Curve): Curve {
  const [first, last] = [curve[0]!, curve.at(-1)!]
  let worst = 0
  let error = 0.01
  curve.forEach(([x, ms], index) => {
    const off = Math.abs(curveMs([first, last], x) / ms - 1)
    if (index > 0 && index < curve.length - 1 && off > error) [worst, error] = [index, off]
  })
  if (worst === 0) return [first, last].map(([x, ms]) => [digits(x), digits(ms)] as const)
  return [...simplified(curve.slice(0, worst + 1)).slice(0, -1), ...simplified(curve.slice(worst))]
}

/** A block for each; lists of numbers on one line. */
export const packedText = (packed: readonly object[]): string =>
  `${
    JSON.stringify(packed, null, 1)
      .replaceAll(/\[\s+([-\d.e]+(?:,\s+[-\d.e]+)*)\s+\]/g, (_, list: string) => `[${list.replaceAll(/\s+/g, ' ')}]`)
      .replaceAll(/\],\s+\[/g, '], [').replaceAll(/\[\s+\[/g, '[[').replaceAll(/\]\s+\]/g, ']]')
  }\n`

export async function main(argv: readonly string[]): Promise<void> {
  const { from, to } = benchFlags(argv, { from: '../shared/data/profiles', to: join(projectRoot, 'runtime/sim') })
  await writeFile(join(to, 'profiles.json'), packedText(packProfiles(from)))
  await writeFile(join(to, 'measured.json'), packedText(packRuns(from)))
}
