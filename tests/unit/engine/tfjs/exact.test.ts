/** A row's bits depend on its own sequence alone: however it is chunked, batched, placed in the pool. */
import { afterAll, describe, expect, it } from 'vitest'
import type { Chunk, Forward } from '../../../../runtime/engine/forward.ts'
import type { DecoderConfig } from '../../../../runtime/engine/load/source.ts'
import { tfjsForward } from '../../../../runtime/engine/tfjs/decoder.ts'
import { KvPool } from '../../../../runtime/kv/pool.ts'
import { allLogits, poolFor } from '../../../helpers/sequence.ts'
import { memorySource, randomTensors, testConfig } from '../../../helpers/source.ts'

const shapes: [string, Partial<DecoderConfig>][] = [
  ['llama', {}],
  ['llama, odd sizes', { heads: 3, kvHeads: 3, headDim: 10, hiddenSize: 30, intermediateSize: 77, vocabSize: 67 }],
  ['llama, one kv head', { heads: 7, kvHeads: 1, headDim: 16, hiddenSize: 64 }],
  ['mistral', { family: 'mistral', slidingWindow: [20, 20], heads: 4, headDim: 16 }],
  ['mistral, window past a group of keys', { family: 'mistral', slidingWindow: [67, undefined] }],
  ['qwen2', { family: 'qwen2' }],
  ['qwen3', { family: 'qwen3', headDim: 24, tiedEmbeddings: false }],
]
const prompt = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => (i * i * 7 + seed * 13 + i) % 61)
const blocks = (count: number, of: (i: number) => number): number[] => Array.from({ length: count }, (_, i) => of(i))
const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length)
/** Not toEqual(): a NaN equals a NaN there, and a difference would print megabytes. */
const sameBits = (a: Float32Array, b: Float32Array): number => {
  const other = bits(b)
  expect(a.length).toBe(b.length)
  expect(a.every(Number.isFinite)).toBe(true)
  return bits(a).reduce((count, value, i) => count + (value === other[i] ? 0 : 1), 0)
}

const open: Forward[] = []
const forwardOf = async (overrides: Partial<DecoderConfig>, backend: string): Promise<Forward> => {
  const config = testConfig(overrides)
  const forward = await tfjsForward(memorySource(config, randomTensors(config)), { backend })
  open.push(forward)
  return forward
}
afterAll(() => open.forEach((forward) => forward.dispose()))

describe.each(['wasm', 'cpu'])('tfjsForward() on %s gives equal bits', (backend) => {
  it.each(shapes)('%s: for chunks of any sizes', async (_, overrides) => {
    const forward = await forwardOf(overrides, backend)
    const count = backend === 'cpu' ? 140 : 200
    const tokens = prompt(count, 1)
    const table = blocks(20, (i) => i)
    const whole = await allLogits(forward, poolFor(forward, 20), table, tokens)
    for (const sizes of [[1], [3, 1, 5, 8, 13], [48, 49, 47], [129, 1, 70], [count - 1, 1]]) {
      const cut = await allLogits(forward, poolFor(forward, 20), table, tokens, sizes)
      expect(sameBits(cut, whole), `sizes ${sizes}`).toBe(0)
    }
  })

  it.each(shapes)('%s: for other tables, block sizes and what else the pool holds', async (_, overrides) => {
    const forward = await forwardOf(overrides, backend)
    const tokens = prompt(75, 2)
    const whole = await allLogits(forward, poolFor(forward, 5), [0, 1, 2, 3, 4], tokens)
    for (const blockTokens of [1, 7, 16, 32, 80]) {
      const count = Math.ceil(75 / blockTokens)
      const pool = poolFor(forward, 2 * count + 1, blockTokens)
      pool.data.fill(1e30)
      const table = blocks(count, (i) => 2 * (count - i))
      const placed = await allLogits(forward, pool, table, tokens, [40, 1])
      expect(sameBits(placed, whole), `blocks of ${blockTokens}`).toBe(0)
    }
  })

  it.each(shapes)('%s: for steps shared with other sequences', async (_, overrides) => {
    const forward = await forwardOf(overrides, backend)
    const prompts = [prompt(90, 3), prompt(1, 4), prompt(140, 5), prompt(33, 6)]
    const tables = prompts.map((_, s) => blocks(9, (i) => i * 4 + s))
    const alone: Float32Array[] = []
    for (const [s, tokens] of prompts.entries()) {
      alone.push(await allLogits(forward, poolFor(forward, 36), tables[s] as number[], tokens))
    }
    const pool = poolFor(forward, 36)
    const shared = prompts.map((tokens) => new Float32Array(tokens.length * forward.config.vocabSize))
    // Sequences start at different steps and go on with 1 (a decode), 5 or 60 tokens a step.
    const pace = [60, 1, 5, 1]
    const done = prompts.map(() => 0)
    const left = (s: number): number => (prompts[s] as number[]).length - (done[s] as number)
    for (let step = 0; done.some((_, s) => left(s) > 0); step++) {
      const running = [...prompts.keys()].filter((s) => step >= s && left(s) > 0)
      const chunks = running.map((s): Chunk => {
        const start = done[s] as number
        const tokens = (prompts[s] as number[]).slice(start, start + (pace[s] as number))
        return { tokens, start, table: tables[s] as number[], logits: 'all' }
      })
      const rows = await forward.run(chunks, pool)
      running.forEach((s, i) => {
        const start = done[s] as number
        shared[s]?.set(rows[i] as Float32Array, start * forward.config.vocabSize)
        done[s] = start + (chunks[i] as Chunk).tokens.length
      })
    }
    shared.forEach((rows, s) => expect(sameBits(rows, alone[s] as Float32Array), `sequence ${s}`).toBe(0))
  })

  it('in the cache itself, and for logits of the last row, of all rows and of none', async () => {
    const forward = await forwardOf({}, backend)
    const tokens = prompt(50, 7)
    const run = async (logits: Chunk['logits'], sizes: number[]): Promise<{ pool: KvPool; last: Float32Array }> => {
      const pool = poolFor(forward, 4)
      let last = new Float32Array()
      for (let start = 0, i = 0; start < 50; start += sizes[i++] as number) {
        const part = tokens.slice(start, start + (sizes[i] as number))
        const [rows] = await forward.run([{ tokens: part, start, table: [3, 0, 2, 1], logits }], pool)
        last = (rows as Float32Array).slice(-forward.config.vocabSize)
      }
      return { pool, last }
    }
    const all = await run('all', [50])
    for (const logits of ['last', 'none'] as const) {
      const other = await run(logits, [17, 1, 32])
      expect(sameBits(other.pool.data, all.pool.data)).toBe(0)
      if (logits === 'last') expect(sameBits(other.last, all.last)).toBe(0)
      else expect(other.last.length).toBe(0)
    }
  })
})
