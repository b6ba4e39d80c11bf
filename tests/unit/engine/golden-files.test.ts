/** Files that are not of the tiny models in tfjs/golden.test.ts, against what the reference computed from them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openModel } from '../../../runtime/engine/load/mod.ts'
import { tfjsForward } from '../../../runtime/engine/tfjs/mod.ts'
import { sharedData, smollm2File, temporaryDirectory, writeDirectory } from '../../helpers/model-files.ts'
import { allLogits, greedy, poolFor } from '../../helpers/sequence.ts'
import { compareCases, readGolden } from '../../helpers/smollm2-golden.ts'

interface TinyGolden {
  cases: { input_ids: number[]; last_logits: string; greedy: number[]; margins: number[] }[]
}

const mistral = join(import.meta.dirname, '../../golden/mistral_tiny')

test('a config in the style of transformers 4 says the same', async () => {
  const golden = JSON.parse(gunzipSync(readFileSync(join(mistral, 'golden.json.gz'))).toString('utf8')) as TinyGolden
  const directory = writeDirectory(temporaryDirectory(), 'mistral_v4', {
    'config.json': readFileSync(join(mistral, 'config.v4.json'), 'utf8'),
    'model.safetensors': readFileSync(join(mistral, 'model.safetensors')),
  })
  await agrees(directory, golden)
}, 120_000)

async function agrees(directory: string, { cases }: TinyGolden): Promise<void> {
  const source = openModel(directory)
  const forward = await tfjsForward(source, { backend: 'wasm' })
  source.close()
  for (const { input_ids: ids, last_logits, greedy: tokens, margins } of cases) {
    const expected = new Float32Array(new Uint8Array(Buffer.from(last_logits, 'base64')).buffer)
    const range = Math.max(...expected) - Math.min(...expected)
    const pool = poolFor(forward, 20)
    const table = Array.from({ length: 20 }, (_, i) => i)
    const logits = await allLogits(forward, pool, table, ids)
    const last = logits.subarray((ids.length - 1) * forward.config.vocabSize)
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - last[i]!)), 0)
    expect(worst / range).toBeLessThan(1e-4)
    const close = margins.findIndex((margin) => margin < 1e-4 * range)
    const sure = close < 0 ? tokens.length : close
    expect((await greedy(forward, pool, table, ids, sure)).tokens).toEqual(tokens.slice(0, sure))
  }
  forward.dispose()
}

const smollm2 = smollm2File()
const golden = sharedData('models/smollm2_q4_1_golden.json.gz')

describe.skipIf(smollm2 === undefined || golden === undefined)('SmolLM2-135M, real weights in GGUF', () => {
  test('logits and greedy tokens are the reference ones', async () => {
    const source = openModel(smollm2!)
    const forward = await tfjsForward(source, { backend: 'wasm' })
    source.close()
    const { worstLogit, compared, different } = await compareCases(forward, readGolden(golden!), 8)
    forward.dispose()
    console.log(`SmolLM2: largest logit difference ${worstLogit.toExponential(1)}, ${compared - different} of ${compared} greedy tokens equal`)
    expect(worstLogit).toBeLessThan(2e-3)
    expect(different).toBe(0)
    expect(compared).toBeGreaterThan(80)
  }, 240_000)
})
