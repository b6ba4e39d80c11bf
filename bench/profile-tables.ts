/**
 * Tables of measured kernel times as whole iterations of a model: the columns of two public collections (LLMServingSim,
 * aiconfigurator) and nothing of what is fitted to them.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Curve, curveMs } from '../runtime/sim/kernels.ts'

/** Attention of one iteration, all layers: a chunk of x tokens after k, and n decodes of kv tokens each. */
export interface AttentionSample {
  /** How many such chunks; 0 or more. */
  chunks: number
  x: number
  k: number
  n: number
  kv: number
  ms: number
}

/** What is measured of a model on a machine. */
export interface Tables {
  dense: Curve
  head: Curve
  attention: AttentionSample[]
  exchange?: Curve
}

export interface Shape {
  layers: number
  hidden: number
  /** Query and KV heads on one card. */
  heads: number
  kvHeads: number
  /** Cards that share it. */
  cards: number
}

function rows(folder: string, file: string): Record<string, string>[] {
  const [header = '', ...lines] = gunzipSync(readFileSync(join(folder, file))).toString('utf8').trim().split('\n')
  const names = header.trim().split(',')
  return lines.map((line) => Object.fromEntries(line.trim().split(',').map((cell, at) => [names[at]!, cell])))
}

/** Microseconds by x of each layer, as curves in x. */
function curves(table: Record<string, string>[], name: string, x: string, time: string, toMs: number) {
  const all = new Map<string, [number, number][]>()
  for (const row of table) {
    const curve = all.get(row[name]!) ?? []
    curve.push([Number(row[x]), Number(row[time]) * toMs])
    all.set(row[name]!, curve)
  }
  for (const curve of all.values()) curve.sort((a, b) => a[0] - b[0])
  return all
}

/** Kernels that run once an iteration, and those that run twice a layer; the others run once a layer. */
const ONCE = ['embedding', 'final_layernorm', 'lm_head', 'sampler']
const TWICE = ['layernorm']

/** The sum of curves, each as often as it runs, at the x of the first. */
function summed(all: ReadonlyMap<string, Curve>, layers: number): Curve {
  const xs = [...new Set([...all.values()][0]!.map(([x]) => x))]
  const times = (name: string) => ONCE.includes(name) ? 1 : TWICE.includes(name) ? 2 * layers : layers
  return xs.map((x) => [x, [...all].reduce((sum, [name, curve]) => sum + times(name) * curveMs(curve, x), 0)] as const)
}

/** `PREFIX_{attention,dense,per_sequence}.csv.gz`: mixed batches included. */
export function servingSimTables(folder: string, prefix: string, { layers }: Shape): Tables {
  const attention = rows(folder, `${prefix}_attention.csv.gz`).map((row) => ({
    chunks: row['prefill_chunk'] === '0' ? 0 : 1,
    x: Number(row['prefill_chunk']),
    k: Number(row['kv_prefill']),
    n: Number(row['n_decode']),
    kv: Number(row['kv_decode']),
    ms: Number(row['time_us']) * layers / 1_000,
  }))
  return {
    dense: summed(curves(rows(folder, `${prefix}_dense.csv.gz`), 'layer', 'tokens', 'time_us', 1e-3), layers),
    head: summed(curves(rows(folder, `${prefix}_per_sequence.csv.gz`), 'layer', 'sequences', 'time_us', 1e-3), layers),
    attention: attention.filter(({ x, n, kv }) => (n > 0 ? kv > 0 : x > 0)),
  }
}

/** Layers of `kernels_MODEL_layers.csv.gz`, attention and all-reduce of `aic_SYSTEM_vllm_*.csv.gz`. */
export function aicTables(folder: string, layersFile: string, system: string, shape: Shape): Tables {
  const { layers, hidden, heads, kvHeads, cards } = shape
  const all = curves(rows(folder, layersFile), 'layer_name', 'input', 'latency(ns)', 1e-6)
  all.delete('attn')
  const head = new Map([['lm_head', all.get('lm_head')!]])
  all.delete('lm_head')
  const ofShape = (table: Record<string, string>[]) =>
    table.filter((row) =>
      row['kv_dtype'] === 'bfloat16' && row['heads'] === String(heads) && row['kv_heads'] === String(kvHeads)
    )
  const prefills = ofShape(rows(folder, `aic_${system}_vllm_context_attention.csv.gz`)).map((row) => ({
    chunks: Number(row['batch']),
    x: Number(row['isl']),
    k: 0,
    n: 0,
    kv: 0,
    ms: Number(row['latency_ms']) * layers,
  }))
  const decodes = ofShape(rows(folder, `aic_${system}_vllm_generation_attention.csv.gz`)).map((row) => ({
    chunks: 0,
    x: 0,
    k: 0,
    n: Number(row['batch']),
    kv: Number(row['kv_len']),
    ms: Number(row['latency_ms']) * layers,
  }))
  const tables = { dense: summed(all, layers), head: summed(head, layers), attention: [...prefills, ...decodes] }
  if (cards === 1) return tables
  // Two all-reduces of a token's hidden state in each layer.
  const exchange = rows(folder, `aic_${system}_vllm_comm.csv.gz`)
    .filter((row) =>
      row['backend'] === 'vllm_graph' && row['op'] === 'all_reduce' && row['dtype'] === 'bfloat16' &&
      row['gpus'] === String(cards)
    )
    .map((row) => [Number(row['message_size']) / hidden, Number(row['latency_ms']) * 2 * layers] as const)
  return { ...tables, exchange }
}
