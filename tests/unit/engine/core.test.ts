import { afterEach, describe, expect, test } from 'vitest'
import type { EngineCore } from '../../../runtime/engine/loop/core.ts'
import type { SamplingParams } from '../../../runtime/engine/engine.ts'
import { decodeAll, drawn, generate, greedy, patience, prompt, toyEngine } from '../../helpers/toy-engine.ts'
import { toyForward } from '../../helpers/toy-forward.ts'
import { KvPool } from '../../../runtime/kv/pool.ts'
import { sample } from '../../../runtime/engine/sampler.ts'

const open: EngineCore[] = []
const start = (...args: Parameters<typeof toyEngine>) => {
  const toy = toyEngine(...args)
  open.push(toy.engine)
  return toy
}
afterEach(async () => {
  for (const engine of open.splice(0)) {
    const { blocksFree, blocksReserved, holds } = engine.stats()
    expect({ blocksFree, blocksReserved, holds }).toEqual({ blocksFree: engine.info.blocksTotal, blocksReserved: 0, holds: 0 })
    await engine.close()
  }
})

/** The truth: the whole sequence computed anew for every token, in blocks of its own, with no engine at all. */
async function naive(tokens: number[], sampling: SamplingParams, choice = 0): Promise<number[]> {
  const forward = toyForward()
  const pool = new KvPool({ layers: 2, kvDim: 8, blockTokens: 4 }, 200)
  const table = Array.from({ length: 200 }, (_, i) => 199 - i)
  const generated: number[] = []
  while (generated.length < sampling.maxTokens) {
    const [logits] = await forward.run([{ tokens: [...tokens, ...generated], start: 0, table, logits: 'last' }], pool)
    generated.push(sample(logits!, { sampling, choice, index: generated.length, penalties: undefined }).token)
  }
  return generated
}

describe('the same tokens, whatever goes on around', () => {
  test('as the model run plainly', async () => {
    const { engine } = start()
    for (const length of [1, 3, 4, 5, 16, 17, 33, 70]) {
      const { tokens } = await generate(engine, prompt(length), drawn)
      expect(tokens[0]).toEqual(await naive(prompt(length), drawn))
    }
  })

  test('alone or in a batch with others', async () => {
    const { engine } = start({}, { maxBatch: 5 })
    const cases = Array.from({ length: 14 }, (_, i) => ({ tokens: prompt(3 + i * 7, i), sampling: { ...drawn, seed: i, maxTokens: 4 + 3 * i } }))
    const together = await Promise.all(cases.map(({ tokens, sampling }) => generate(engine, tokens, sampling)))
    for (const [i, { tokens, sampling }] of cases.entries()) {
      const { engine: fresh } = start()
      expect(together[i]!.tokens).toEqual((await generate(fresh, tokens, sampling)).tokens)
    }
  })
})
