/** A real model (135M, Q4_1) on TensorFlow against a float64 reference: greedy tokens where the margin allows, top logits. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Forward } from '../../../../../runtime/engine/forward.ts'
import { openModel } from '../../../../../runtime/engine/load/mod.ts'
import { tfjsForward } from '../../../../../runtime/engine/tfjs/decoder.ts'
import { allLogits, greedy, poolFor } from '../../../../helpers/sequence.ts'
import { tensorflowHere } from '../../../../helpers/tensorflow.ts'

const golden = fileURLToPath(new URL('../../../../../../shared/data/models/smollm2_q4_1_golden.json.gz', import.meta.url))
const data = process.env['VOLLEY_DATA'] ?? join(homedir(), '.cache', 'volley-data')
const file = join(data, 'SmolLM2-135M-Instruct.Q4_1.gguf')
const here = tensorflowHere && existsSync(golden) && existsSync(file)
if (!here) console.log(`SmolLM2 on tensorflow: needs the library, ../shared/data/models and ${file}, skipped`)

interface Golden {
  cases: { input_ids: number[]; top8_last_positions: [number, number][][]; greedy: number[]; margins: number[] }[]
}
/** Logits lie within this of the reference's: f32 sums in another order. */
const TOLERANCE = 2e-3

describe.skipIf(!here)('SmolLM2 on tensorflow', () => {
  let forward: Forward
  beforeAll(async () => {
    const source = openModel(file)
    forward = await tfjsForward(source, { backend: 'tensorflow' })
    source.close()
  }, 120_000)
  afterAll(() => forward?.dispose())

  const cases = here ? (JSON.parse(gunzipSync(readFileSync(golden)).toString('utf8')) as Golden).cases : []
  it.each(cases.map((one, i) => [i, one.input_ids.length, one] as const))('case %i, %i tokens', async (index, length, one) => {
    const { input_ids: ids, greedy: tokens, margins, top8_last_positions: tops } = one
    const blocks = Math.ceil((length + tokens.length) / 16)
    const pool = poolFor(forward, blocks)
    const table = Array.from({ length: blocks }, (_, i) => blocks - 1 - i)
    const logits = await allLogits(forward, pool, table, ids, [256])
    const vocab = forward.config.vocabSize
    tops.forEach((top, i) => {
      const row = logits.subarray((length - tops.length + i) * vocab, (length - tops.length + i + 1) * vocab)
      for (const [token, value] of top) expect(Math.abs((row[token] as number) - value), `token ${token}`).toBeLessThan(TOLERANCE)
    })
    const close = margins.findIndex((margin) => margin < 2 * TOLERANCE)
    // One case to its end, the others as far as a quick test goes.
    const sure = Math.min(close < 0 ? tokens.length : close, index === 0 ? tokens.length : 4)
    const found = await greedy(forward, pool, table, ids, sure)
    expect(found.tokens).toEqual(tokens.slice(0, sure))
  }, 120_000)
})
