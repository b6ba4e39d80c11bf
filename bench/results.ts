/**
 * The table of docs/results.md: goodput of every policy on every load and profile, with plain and corrected loads. Each
 * cell is what `volley sim --goodput` prints.
 *
 *     volley bench results [--from ../shared/data/traces] [--only TEXT] [--write docs/results.md]
 *
 * `--only` takes rows that contain the text; `--write` puts rows in the place of the same ones in a page.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VolleyError } from '../runtime/errors.ts'
import type { Loads } from '../runtime/policy/mod.ts'
import {
  drawBurstgpt,
  loadOf,
  type OpenTrace,
  PackedTrace,
  profileOf,
  readTrace,
  runGoodput,
  type RunResult,
  synthesise,
  variantsOf,
} from '../runtime/sim/mod.ts'
import { benchFlags } from './flags.ts'

const INSTANCES = 8

interface Load {
  name: string
  open(folder: string): ReturnType<OpenTrace>
}
const file = (name: string, path: string): Load => ({ name, open: (folder) => readTrace(join(folder, path)) })
const CODE = file('Azure Code', 'azure_llm_2023_code.csv.gz')
const CONVERSATION = file('Azure Conversation', 'azure_llm_2023_conv.csv.gz')
const MOONCAKE = file('Mooncake conversation', 'mooncake_conversation.jsonl.gz')
const A = file('inverting A', 'synthetic_inverting_a.csv.gz')
const B = file('inverting B', 'synthetic_inverting_b.csv.gz')
const BURSTGPT: Load = {
  name: 'BurstGPT',
  open: (folder) => drawBurstgpt(join(folder, 'burstgpt_conversation_every10th_arrival.csv'), 0),
}
const MIX: Load = {
  name: 'stationary mix of A',
  open: async function* () {
    yield* synthesise(loadOf('stationary'), 0)
  },
}

/** Profile, and on it each load with its TTFT in seconds and TPOT in milliseconds. */
const ROWS: readonly (readonly [profile: string, rows: readonly (readonly [Load, ttftS: number, tpotMs: number])[]])[] =
  [
    ['8b', [
      [CODE, 3, 100],
      [CONVERSATION, 2, 50],
      [MOONCAKE, 30, 100],
      [BURSTGPT, 3, 100],
      [A, 3, 50],
      [A, 3, 25],
      [B, 3, 50],
      [MIX, 3, 50],
    ]],
    ['32b', [[CODE, 10, 125], [CONVERSATION, 10, 125], [MOONCAKE, 30, 125], [BURSTGPT, 10, 125], [A, 10, 125], [
      B,
      10,
      125,
    ]]],
    ['rtxpro6000-8b', [[CODE, 3, 100], [CONVERSATION, 3, 100], [MOONCAKE, 30, 100], [BURSTGPT, 3, 100], [A, 3, 50], [
      B,
      3,
      50,
    ]]],
  ]

/** A column: a policy and how it reads load. */
const POLICIES: readonly (readonly [column: string, policy: string, loads: Loads])[] = [
  ['4P4D', 'static', 'plain'],
  ['best split', 'best-static', 'plain'],
  ['best colocated', 'best-colocated', 'plain'],
  ['xllm', 'xllm', 'plain'],
  ['v1 plain', 'arrow-v1', 'plain'],
  ['v1', 'arrow-v1', 'corrected'],
  ['v2 plain', 'arrow-v2', 'plain'],
  ['v2', 'arrow-v2', 'corrected'],
]
const RATIOS = ['4P4D', 'best split', 'best colocated'] as const
const HEAD = [
  'load, profile, TTFT / TPOT',
  ...POLICIES.map(([column]) => column),
  ...RATIOS.map((name) => `v2 / ${name}`),
]

const rowOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

export async function main(argv: readonly string[]): Promise<void> {
  const { from, only, write } = benchFlags(argv, { from: '../shared/data/traces', only: '', write: '' })
  const lines: string[] = []
  console.log(rowOf(HEAD))
  console.log(rowOf(HEAD.map(() => '---')))
  for (const [profile, rows] of ROWS) {
    for (const [load, ttftS, tpotMs] of rows) {
      const name = `${load.name}, ${profile}, ${ttftS} s / ${tpotMs} ms`
      if (!name.includes(only)) continue
      lines.push(await measured(name, load, profile, { ttftMs: ttftS * 1_000, tpotMs }, from))
      console.log(lines.at(-1))
    }
  }
  if (write !== '') writeFileSync(write, replaced(readFileSync(write, 'utf8'), lines))
}

async function measured(
  name: string,
  load: Load,
  profile: string,
  slo: { ttftMs: number; tpotMs: number },
  folder: string,
): Promise<string> {
  const trace = await PackedTrace.read(load.open(folder))
  const found = new Map<string, RunResult>()
  for (const [column, policy, loads] of POLICIES) {
    const variants = variantsOf(policy, { instances: INSTANCES, loads, batching: { chunkTokens: 2_048 } })
    found.set(column, runGoodput(variants, { profile: profileOf(profile), slo, restartMs: 0 }, trace))
  }
  const rate = (column: string) => found.get(column)!.rate
  const cells = POLICIES.map(([column]) => {
    const { labels, tried } = found.get(column)!
    return tried ? `${shown(rate(column))} (${labels.replace(`${INSTANCES} unlabelled, `, '')})` : shown(rate(column))
  })
  return rowOf([name, ...cells, ...RATIOS.map((column) => (rate('v2') / rate(column)).toFixed(2))])
}

/** Four digits tell rates apart that differ by a percent. */
const shown = (rate: number): string => (rate < 100 ? rate.toFixed(2) : String(Math.round(rate)))

/** Puts each row where the page has one of the same first cell and the same columns. Error: `invalid_flag`. */
function replaced(page: string, rows: readonly string[]): string {
  const head = rowOf(HEAD)
  const [before, table] = page.split(`${head}\n`)
  if (table === undefined) {
    throw new VolleyError('invalid_flag', 'The page has no table with these columns', {
      param: 'write',
      remedy: `begin one: ${head}`,
    })
  }
  const end = table.indexOf('\n\n')
  const old = table.slice(0, end).split('\n')
  const first = (row: string) => row.split(' | ')[0]
  const merged = old.map((row) => rows.find((each) => first(each) === first(row)) ?? row)
  const added = rows.filter((row) => !old.some((each) => first(each) === first(row)))
  return `${before}${head}\n${[...merged, ...added].join('\n')}${table.slice(end)}`
}
