/**
 * Runs of a real engine, request by request, out of the tables they were published in.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PackedRun } from '../runtime/sim/measured.ts'

/** The requests before the Qwen run has a queue told what its cards' exchange costs (bench/profiles.ts). */
const RUNS = [
  {
    name: 'vllm-rtxpro6000-8b',
    file: 'vllm_run_rtxpro6000_llama3_1_8b',
    profile: 'rtxpro6000-8b',
    maxSequences: 128,
    calibrated: 0,
  },
  {
    name: 'vllm-rtx4090-8b',
    file: 'vllm_run_rtx4090_llama3_1_8b',
    profile: 'rtx4090-8b',
    maxSequences: 256,
    calibrated: 0,
  },
  {
    name: 'vllm-rtxpro6000x2-32b',
    file: 'vllm_run_rtxpro6000_qwen3_32b',
    profile: 'rtxpro6000x2-32b',
    maxSequences: 128,
    calibrated: 18,
  },
] as const

/** All runs, from the folder of their tables. */
export const packRuns = (folder: string): PackedRun[] =>
  RUNS.map(({ file, ...run }) => {
    const [header = '', ...lines] = readFileSync(join(folder, `${file}_requests.csv`), 'utf8').trim().split('\n')
    const names = header.trim().split(',')
    const rows = lines.map((line) => line.split(',').map(Number))
    const cell = (row: number[], name: string) => row[names.indexOf(name)]!
    rows.sort((a, b) => cell(a, 'queued_s') - cell(b, 'queued_s'))
    const column = (of: (row: number[]) => number) => rows.map((row) => Number(of(row).toFixed(3)))
    return {
      ...run,
      engine: 'vLLM 0.19.0',
      source: 'LLMServingSim bench/examples: 300 ShareGPT requests',
      licence: 'MIT',
      batchTokens: 2_048,
      queuedMs: column((row) => cell(row, 'queued_s') * 1_000),
      inputTokens: column((row) => cell(row, 'input_tokens')),
      outputTokens: column((row) => cell(row, 'output_tokens')),
      ttftMs: column((row) => (cell(row, 'first_token_s') - cell(row, 'queued_s')) * 1_000),
      tpotMs: column((row) =>
        (cell(row, 'last_token_s') - cell(row, 'first_token_s')) * 1_000 / (cell(row, 'output_tokens') - 1)
      ),
    }
  })
