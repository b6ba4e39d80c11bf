import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import type { Chunk } from '../../../../runtime/engine/forward.ts'
import type { DecoderConfig } from '../../../../runtime/engine/load/source.ts'
import { tfjsForward } from '../../../../runtime/engine/tfjs/decoder.ts'
import { KvPool } from '../../../../runtime/kv/pool.ts'
import { naiveLogits } from '../../../helpers/naive-decoder.ts'
import { allLogits, poolFor } from '../../../helpers/sequence.ts'
import { memorySource, randomTensors, testConfig } from '../../../helpers/source.ts'

const sourceOf = (overrides: Partial<DecoderConfig> = {}) => {
  const config = testConfig(overrides)
  return memorySource(config, randomTensors(config))
}
const tokens = Array.from({ length: 60 }, (_, i) => (i * 17 + 3) % 61)

describe('tfjsForward() agrees with plain loops in double precision', () => {
  const llama3 = { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContextLength: 32 } as const
  const cases: [string, Partial<DecoderConfig>][] = [
    ['llama', {}],
    ['llama with Llama-3 rope scaling', { ropeScaling: llama3, headDim: 16 }],
    ['llama with linear rope scaling', { ropeScaling: { type: 'linear', factor: 4 } }],
    ['mistral', { family: 'mistral', slidingWindow: [9, 9] }],
    ['mistral, one layer without a window', { family: 'mistral', slidingWindow: [undefined, 50] }],
    ['qwen2', { family: 'qwen2' }],
    ['qwen3', { family: 'qwen3', headDim: 24, tiedEmbeddings: false }],
  ]
  it.each(cases)('%s', async (_, overrides) => {
    const source = sourceOf(overrides)
    const expected = naiveLogits(source, tokens).flat()
    const range = Math.max(...expected) - Math.min(...expected)
    for (const backend of ['wasm', 'cpu']) {
      const forward = await tfjsForward(source, { backend })
      const found = await allLogits(forward, poolFor(forward, 4), [2, 0, 3, 1], tokens, [33, 1])
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] as number))), 0)
      expect(worst / range, backend).toBeLessThan(1e-5)
      forward.dispose()
    }
  })
})

describe('tfjsForward() refuses', () => {
  it('a backend it does not know, and says which there are', async () => {
    const error = await tfjsForward(sourceOf(), { backend: 'abacus' }).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'engine_unavailable', remedy: 'use one of: wasm, cpu, tensorflow' })
  })

  it('a tensor of another shape, naming both shapes, and keeps nothing allocated', async () => {
    const config = testConfig()
    const tensors = randomTensors(config)
    tensors.set('1.down', { shape: [76, 48], values: new Float32Array(76 * 48) })
    await tfjsForward(sourceOf(), { backend: 'wasm' }).then((forward) => forward.dispose())
    const before = tf.memory().numTensors
    await expect(tfjsForward(memorySource(config, tensors), { backend: 'wasm' })).rejects.toMatchObject({
      code: 'tensor_shape',
      param: '1.down',
      message: 'Tensor "1.down" of model "test" is [76, 48] and must be [48, 76]',
    })
    expect(tf.memory().numTensors).toBe(before)
  })

  it.each([
    ['0.ffnNorm', {}],
    ['head', { tiedEmbeddings: false }],
    ['1.kBias', { family: 'qwen2' }],
    ['0.qNorm', { family: 'qwen3' }],
  ] as [string, Partial<DecoderConfig>][])('a model without %s', async (name, overrides) => {
    const config = testConfig(overrides)
    const tensors = randomTensors(config)
    tensors.delete(name)
    const loading = tfjsForward(memorySource(config, tensors), { backend: 'wasm' })
    await expect(loading).rejects.toMatchObject({ code: 'model_file_invalid', param: name })
  })

  it('a step that does not fit its table, pool or vocabulary', async () => {
    const forward = await tfjsForward(sourceOf(), { backend: 'wasm' })
    const chunk: Chunk = { tokens: [1, 2], start: 15, table: [0, 1], logits: 'none' }
    const run = (change: Partial<Chunk>, pool = poolFor(forward, 2)) => forward.run([{ ...chunk, ...change }], pool)
    await expect(run({})).resolves.toHaveLength(1)
    const failed = { code: 'engine_failed' }
    await expect(run({ table: [0] })).rejects.toMatchObject(failed)
    await expect(run({ table: [0, 2] })).rejects.toMatchObject(failed)
    await expect(run({ tokens: [] })).rejects.toMatchObject(failed)
    await expect(run({ tokens: [61] })).rejects.toMatchObject(failed)
    await expect(run({ start: -1 })).rejects.toMatchObject(failed)
    const other = new KvPool({ layers: 2, kvDim: 8, blockTokens: 16 }, 2)
    await expect(run({}, other)).rejects.toMatchObject(failed)
    forward.dispose()
  })
})

describe('tfjsForward()', () => {
  it.each(['wasm', 'cpu'])('on %s holds the same tensors after any step, and none after dispose()', async (backend) => {
    await tfjsForward(sourceOf(), { backend }).then((forward) => forward.dispose())
    const empty = tf.memory().numTensors
    const forward = await tfjsForward(sourceOf(), { backend })
    const pool = poolFor(forward, 8)
    const loaded = forward.memory()
    for (const logits of ['none', 'last', 'all'] as const) {
      for (let start = 0; start < 40; start += 10) {
        const part = tokens.slice(start, start + 10)
        const answers = await forward.run(
          [
            { tokens: part, start, table: [0, 1, 2], logits },
            { tokens: [7], start, table: [3, 4, 5], logits: 'last' },
          ],
          pool,
        )
        expect(answers.map((rows) => rows.length / 61)).toEqual([{ none: 0, last: 1, all: 10 }[logits], 1])
        expect(forward.memory()).toEqual(loaded)
      }
    }
    forward.dispose()
    expect(tf.memory().numTensors).toBe(empty)
  })

  it('answers nothing for no chunks', async () => {
    const forward = await tfjsForward(sourceOf(), { backend: 'wasm' })
    expect(await forward.run([], poolFor(forward, 1))).toEqual([])
    expect(forward.numerics).toMatch(/^wasm-f32-tfjs4\.22\.0-k\d+$/)
    expect(forward.batchInvariant).toBe(true)
    forward.dispose()
  })

  it('lets models on two backends take turns in one thread', async () => {
    const source = sourceOf()
    const [wasm, cpu] = [await tfjsForward(source, { backend: 'wasm' }), await tfjsForward(source, { backend: 'cpu' })]
    expect(cpu.numerics).toContain(`-v8.${process.versions['v8']}-`)
    const first = await allLogits(wasm, poolFor(wasm, 4), [0, 1, 2, 3], tokens)
    const other = await allLogits(cpu, poolFor(cpu, 4), [0, 1, 2, 3], tokens)
    expect(await allLogits(wasm, poolFor(wasm, 4), [0, 1, 2, 3], tokens)).toEqual(first)
    expect(Math.max(...first.map((value, i) => Math.abs(value - (other[i] as number))))).toBeLessThan(1e-4)
    wasm.dispose()
    cpu.dispose()
  })
})
