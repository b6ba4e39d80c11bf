/** The decoder against what transformers and a float64 reference computed for tiny published models. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import type { ModelSource } from '../../../../runtime/engine/load/source.ts'
import { openModel } from '../../../../runtime/engine/load/mod.ts'
import type { Forward } from '../../../../runtime/engine/forward.ts'
import { byPhase } from '../../../../runtime/engine/phases.ts'
import { tfjsForward } from '../../../../runtime/engine/tfjs/decoder.ts'
import { allLogits, argmax, greedy, poolFor } from '../../../helpers/sequence.ts'
import { llama2cSource } from '../../../helpers/source.ts'
import { tensorflowHere } from '../../../helpers/tensorflow.ts'

const models = fileURLToPath(new URL('../../../../../shared/data/models/', import.meta.url))
const absent = !existsSync(models)
if (absent) console.log('golden models: ../shared/data/models is absent, skipped')

const readGolden = <T>(path: string): T => JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as T
const floatsOf = (base64: string): Float32Array =>
  new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer)

const MIXED = 'prefill:tensorflow,decode:wasm'
const onTensorflow = tensorflowHere ? ['tensorflow', MIXED] : []

async function open(source: () => ModelSource, backend: string): Promise<Forward> {
  if (backend !== MIXED) return await tfjsForward(source(), { backend })
  return byPhase(await tfjsForward(source(), { backend: 'tensorflow' }), await tfjsForward(source(), { backend: 'wasm' }))
}

interface TinyGolden {
  cases: { input_ids: number[]; argmax: number[]; last_logits: string; greedy: number[]; margins: number[] }[]
}

interface StoryGolden {
  cases: {
    prompt_ids: number[]
    greedy_ids: number[]
    first_logits_top8: [number, number][]
    first_logits?: number[]
  }[]
}

const own = fileURLToPath(new URL('../../../golden/', import.meta.url))
const folderOf = (name: string): string => (name.startsWith('mistral') ? own : models) + name
const tiny = (name: string): ModelSource => openModel(folderOf(name))

describe.skipIf(absent)('tfjsForward() agrees with transformers', () => {
  const runs = [
    ['llama3_tiny', 'wasm'],
    ['qwen2_tiny', 'wasm'],
    ['qwen3_tiny', 'wasm'],
    ['llama3_tiny', 'cpu'],
    ['qwen3_tiny', 'cpu'],
    ['mistral_tiny', 'wasm'],
    ...onTensorflow.flatMap((backend) =>
      ['llama3_tiny', 'qwen2_tiny', 'qwen3_tiny', 'mistral_tiny'].map((name) => [name, backend] as const),
    ),
  ] as const
  it.each(runs)('%s on %s', async (name, backend) => {
    const forward = await open(() => tiny(name), backend)
    const { vocabSize } = forward.config
    const { cases } = readGolden<TinyGolden>(`${folderOf(name)}/golden.json.gz`)
    for (const { input_ids: ids, argmax: best, last_logits, greedy: tokens, margins } of cases) {
      const pool = poolFor(forward, 20)
      const table = Array.from({ length: 20 }, (_, i) => (i * 7) % 20)
      const logits = await allLogits(forward, pool, table, ids)
      const expected = floatsOf(last_logits)
      const range = Math.max(...expected) - Math.min(...expected)
      const last = logits.subarray((ids.length - 1) * vocabSize)
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (last[i] as number))), 0)
      expect(worst / range).toBeLessThan(1e-4)
      best.forEach((token, row) => {
        const own = logits.subarray(row * vocabSize, (row + 1) * vocabSize)
        const lead = (own[argmax(own)] as number) - (own[token] as number)
        expect(lead / range, `position ${row} of ${ids.length}`).toBeLessThan(1e-4)
      })
      const close = margins.findIndex((margin) => margin < 1e-4 * range)
      const sure = close < 0 ? tokens.length : close
      const found = await greedy(forward, pool, table, ids, sure)
      expect(found.tokens).toEqual(tokens.slice(0, sure))
    }
    forward.dispose()
  }, 120_000)
})

describe.skipIf(absent)('tfjsForward() agrees with the float64 reference', () => {
  let directory: string | undefined
  afterAll(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true })
  })
  const hf = (): ModelSource => {
    directory ??= mkdtempSync(join(tmpdir(), 'volley-golden-'))
    copyFileSync(`${models}stories260K-hf.safetensors`, join(directory, 'model.safetensors'))
    copyFileSync(`${models}stories260K-hf.config.json`, join(directory, 'config.json'))
    return openModel(directory)
  }
  const runs: [string, string, () => ModelSource, string, number][] = [
    ['stories260K', 'stories260K.bin', () => llama2cSource(`${models}stories260K.bin`), 'wasm', 3],
    ['stories260K', 'stories260K-hf.safetensors', hf, 'wasm', 1],
    ['stories260K', 'stories260K-hf.safetensors', hf, 'cpu', 1],
    ['babyllama105', 'babyllama105.bin', () => llama2cSource(`${models}babyllama105.bin`), 'wasm', 3],
    ...onTensorflow.flatMap((backend): typeof runs => [
      ['stories260K', 'stories260K.bin', () => llama2cSource(`${models}stories260K.bin`), backend, 3],
      ['stories260K', 'stories260K-hf.safetensors', hf, backend, 1],
      ['babyllama105', 'babyllama105.bin', () => llama2cSource(`${models}babyllama105.bin`), backend, 2],
    ]),
  ]
  it.each(runs)('%s from %s', async (name, _, source, backend, most) => {
    const forward = await open(source, backend)
    const golden = readGolden<Record<string, StoryGolden>>(`${models}golden_generation.json.gz`)[name] as StoryGolden
    for (const story of golden.cases.slice(0, most)) {
      const { prompt_ids: ids, greedy_ids: tokens, first_logits_top8, first_logits } = story
      const pool = poolFor(forward, 24)
      const table = Array.from({ length: 24 }, (_, i) => 23 - i)
      const logits = await allLogits(forward, pool, table, ids)
      const last = logits.subarray((ids.length - 1) * forward.config.vocabSize)
      for (const [token, value] of first_logits_top8) expect(last[token]).toBeCloseTo(value, 3)
      first_logits?.forEach((value, token) => expect(Math.abs(value - (last[token] as number))).toBeLessThan(1e-3))
      const found = await greedy(forward, pool, table, ids, tokens.length)
      expect(found.tokens).toEqual(tokens)
    }
    forward.dispose()
  }, 120_000)
})
