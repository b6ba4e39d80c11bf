/** Tokens and log-probabilities are the same bits alone, batched, cached, resumed and moved, on the real library. */
import { afterAll, describe, expect, it } from 'vitest'
import type { Engine, TokenOut } from '../../../../../runtime/engine/engine.ts'
import type { Forward } from '../../../../../runtime/engine/forward.ts'
import { EngineCore } from '../../../../../runtime/engine/loop/core.ts'
import { byPhase } from '../../../../../runtime/engine/phases.ts'
import { tfjsForward } from '../../../../../runtime/engine/tfjs/decoder.ts'
import { memorySource, randomTensors, testConfig } from '../../../../helpers/source.ts'
import { tensorflowHere } from '../../../../helpers/tensorflow.ts'
import { decodeAll, drawn, generate, newName, patience, prompt } from '../../../../helpers/toy-engine.ts'

// As wide as a real small model: its one-row products take another path than those of several rows.
const config = testConfig({
  ...{ hiddenSize: 576, intermediateSize: 1536, heads: 9, kvHeads: 3, headDim: 64, layers: 2, vocabSize: 97 },
  contextLength: 256,
})
const source = memorySource(config, randomTensors(config))
const sampling = { ...drawn, maxTokens: 10, topLogprobs: 1 }
const LENGTHS = [1, 2, 5, 31, 32, 33, 64, 65, 90, 97]

/** A model loads twice a backend: what one Forward computed is held against the other's. */
const [FIRST, SECOND] = [0, 1]
const engines: EngineCore[] = []
const forwards = new Map<string, Promise<Forward>>()
const opened: Record<string, () => Promise<Forward>> = {
  tensorflow: () => tfjsForward(source, { backend: 'tensorflow' }),
  'prefill:tensorflow,decode:wasm': async () =>
    byPhase(await tfjsForward(source, { backend: 'tensorflow' }), await tfjsForward(source, { backend: 'wasm' })),
}

/** An engine with a cache of its own. */
async function engineOn(name: string, which = SECOND): Promise<EngineCore> {
  const key = `${name} ${which}`
  const loading = forwards.get(key) ?? (opened[name] as () => Promise<Forward>)()
  forwards.set(key, loading)
  const sizes = { blockTokens: 4, chunkTokens: 32, blocksTotal: 600, maxBatch: 12 }
  const shared: Forward = { ...(await loading), dispose: () => {} }
  const engine = new EngineCore(shared, { model: 'test', modelDigest: 'd', ...sizes })
  engines.push(engine)
  return engine
}
afterAll(async () => {
  for (const engine of engines) await engine.close()
  for (const forward of forwards.values()) (await forward).dispose()
})

const whole = async (engine: Engine, tokens: number[]): Promise<TokenOut[]> =>
  (await generate(engine, tokens, sampling)).outs

describe.skipIf(!tensorflowHere).each(Object.keys(opened))('on %s', (name) => {
  it('alone, together with more sequences than are proven, and from the prefix cache', async () => {
    const alone: TokenOut[][] = []
    for (const length of LENGTHS) alone.push(await whole(await engineOn(name, FIRST), prompt(length)))
    const engine = await engineOn(name)
    const together = await Promise.all(LENGTHS.map((length) => whole(engine, prompt(length))))
    expect(together).toEqual(alone)
    for (const [i, length] of LENGTHS.entries()) {
      const again = await generate(engine, prompt(length), sampling)
      expect(again.outs).toEqual(alone[i])
      expect(again.cachedTokens).toBe(Math.floor((length - 1) / 32) * 32)
    }
  }, 120_000)

  it('resumed on another engine after any number of tokens', async () => {
    const tokens = prompt(70)
    const expected = await whole(await engineOn(name, FIRST), tokens)
    const engine = await engineOn(name)
    for (const shown of [1, 2, 5, 9]) {
      const hold = newName()
      await engine.prefill({ hold, tokens, sampling, choices: 1 }, patience())
      const generated = expected.slice(0, shown).map(({ token }) => token)
      const rest = await decodeAll(engine, { hold, prompt: tokens, sampling, choices: [{ choice: 0, generated }] })
      expect(rest, `after ${shown}`).toEqual(expected.slice(shown))
      engine.release(hold)
    }
  })

  it('with the KV moved to another engine before the decode', async () => {
    const tokens = prompt(45)
    const expected = await whole(await engineOn(name, FIRST), tokens)
    const [from, to] = [await engineOn(name, FIRST), await engineOn(name)]
    const { hold, first } = await from.prefill({ hold: 'moved', tokens, sampling, choices: 1 }, patience())
    const { bytes, digest } = await from.exportHold('moved')
    await to.importHold({ ...hold, tokenIds: tokens }, bytes, digest)
    const choices = [{ choice: 0, generated: first.map(({ token }) => token) }]
    const rest = await decodeAll(to, { hold: 'moved', prompt: tokens, sampling, choices })
    expect([...first, ...rest]).toEqual(expected)
    from.release('moved')
    to.release('moved')
  })
})

describe.skipIf(!tensorflowHere)('KV of other arithmetic', () => {
  it('is refused', async () => {
    const [from, to] = [await engineOn('tensorflow'), await engineOn('prefill:tensorflow,decode:wasm')]
    const tokens = prompt(20)
    const { hold } = await from.prefill({ hold: 'other', tokens, sampling, choices: 1 }, patience())
    const { bytes, digest } = await from.exportHold('other')
    await expect(to.importHold({ ...hold, tokenIds: tokens }, bytes, digest)).rejects.toMatchObject({
      code: 'transfer_failed',
    })
    from.release('other')
  })
})
