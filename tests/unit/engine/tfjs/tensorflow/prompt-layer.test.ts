/** Chunks of prompts as graphs, against plain loops in double precision: every shape of layer, chunk and tile. */
import { describe, expect, it } from 'vitest'
import type { DecoderConfig } from '../../../../../runtime/engine/load/source.ts'
import { tfjsForward } from '../../../../../runtime/engine/tfjs/decoder.ts'
import { naiveLogits } from '../../../../helpers/naive-decoder.ts'
import { allLogits, poolFor } from '../../../../helpers/sequence.ts'
import { memorySource, randomTensors, testConfig } from '../../../../helpers/source.ts'
import { tensorflowHere } from '../../../../helpers/tensorflow.ts'

const tokens = Array.from({ length: 300 }, (_, i) => (i * 17 + 3) % 61)
const table = Array.from({ length: Math.ceil(tokens.length / 16) }, (_, i) => (i * 7) % 19)

describe.skipIf(!tensorflowHere)('chunks of a prompt on tensorflow', () => {
  const cases: [string, Partial<DecoderConfig>][] = [
    ['llama', {}],
    ['mistral, one layer of three without a window', { family: 'mistral', layers: 3, slidingWindow: [40, undefined, 40] }],
    ['qwen2, biases', { family: 'qwen2' }],
    ['qwen3, norms of heads', { family: 'qwen3', headDim: 24, tiedEmbeddings: false }],
  ]
  it.each(cases)('%s', async (_, overrides) => {
    const config = testConfig(overrides)
    const source = memorySource(config, randomTensors(config))
    const expected = naiveLogits(source, tokens).flat()
    const range = Math.max(...expected) - Math.min(...expected)
    const forward = await tfjsForward(source, { backend: 'tensorflow' })
    // One tile and two, from the first token and behind others, and the one token that is no chunk.
    for (const cuts of [[300], [128, 172], [129, 2, 1, 127, 41], [64, 1, 235]]) {
      const found = await allLogits(forward, poolFor(forward, table.length), table, tokens, cuts)
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] as number))), 0)
      expect(worst / range, cuts.join()).toBeLessThan(1e-5)
    }
    forward.dispose()
  })
})
