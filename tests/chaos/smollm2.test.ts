/** All of SmolLM2's golden: 48 greedy tokens a case, and perplexity over 2048 tokens. Minutes, so not part of `npm test`. */
import { describe, expect, test } from 'vitest'
import { openModel } from '../../runtime/engine/load/mod.ts'
import { tfjsForward } from '../../runtime/engine/tfjs/mod.ts'
import { sharedData, smollm2File } from '../helpers/model-files.ts'
import { backendsHere } from '../helpers/tensorflow.ts'
import { compareCases, perplexity, readGolden } from '../helpers/smollm2-golden.ts'

const model = smollm2File()
const path = sharedData('models/smollm2_q4_1_golden.json.gz')

describe.skipIf(model === undefined || path === undefined)('SmolLM2-135M, all of its golden', () => {
  test.each(backendsHere('wasm', 'tensorflow'))('greedy tokens and perplexity are the reference ones on %s', async (backend) => {
    const source = openModel(model!)
    const forward = await tfjsForward(source, { backend })
    source.close()
    const golden = readGolden(path!)
    const { worstLogit, compared, different } = await compareCases(forward, golden, 48)
    const ours = await perplexity(forward, golden)
    console.log(`SmolLM2 on ${backend}: largest logit difference ${worstLogit.toExponential(1)}, ${compared - different} of ${compared} greedy tokens equal, perplexity ${ours.toFixed(4)} (reference ${golden.perplexity.perplexity.toFixed(4)})`)
    expect(worstLogit).toBeLessThan(2e-3)
    expect(different).toBe(0)
    expect(Math.abs(ours / golden.perplexity.perplexity - 1)).toBeLessThan(1e-3)
  }, 900_000)
})
