import { afterEach, describe, expect, test } from 'vitest'
import type { SamplingParams } from '../../../../runtime/engine/engine.ts'
import type { EngineCore } from '../../../../runtime/engine/loop/core.ts'
import { sample } from '../../../../runtime/engine/sampler.ts'
import { KvPool } from '../../../../runtime/kv/pool.ts'
import {
  byChoice,
  closeToys,
  decodeAll,
  drawn,
  generate,
  greedy,
  newName,
  patience,
  prompt,
  toyEngine,
} from '../../../helpers/toy-engine.ts'
import { toyForward } from '../../../helpers/toy-forward.ts'

afterEach(closeToys)

const variants = [
  ['a batch-invariant model', { batchInvariant: true }],
  ['a model whose bits depend on the cut', { batchInvariant: false }],
] as const

/** The truth: the whole sequence computed anew for every token, in blocks of its own, with no engine at all. */
async function plainly(tokens: number[], sampling: SamplingParams, choice = 0): Promise<number[]> {
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

/** All choices' tokens of a hold, decoded from their first. */
async function decodeHold(
  engine: EngineCore,
  hold: string,
  tokens: number[],
  first: number[][],
  sampling = drawn,
): Promise<number[][]> {
  const choices = first.map((generated, choice) => ({ choice, generated }))
  const outs = await decodeAll(engine, { hold, prompt: tokens, sampling, choices })
  return byChoice(outs, first.length).map((rest, choice) => [...first[choice]!, ...rest])
}

test('the toy tells: other tokens for another prompt, seed, choice or numerics', async () => {
  const { engine } = toyEngine()
  const of = async (tokens: number[], sampling: SamplingParams) => (await generate(engine, tokens, sampling)).tokens[0]
  const base = await of(prompt(9), drawn)
  expect(await of(prompt(9), drawn)).toEqual(base)
  expect(await of(prompt(9, 1), drawn)).not.toEqual(base)
  expect(await of([...prompt(9).slice(0, 1), 5, ...prompt(9).slice(2)], greedy)).not.toEqual(
    await of(prompt(9), greedy),
  )
  expect(await of(prompt(9), { ...drawn, seed: 43 })).not.toEqual(base)
  expect((await generate(toyEngine({ numerics: 'other' }).engine, prompt(9), drawn)).tokens[0]).not.toEqual(base)
  expect((await generate(toyEngine({ batchInvariant: false }).engine, prompt(9), drawn)).tokens[0]).not.toEqual(base)
})

test('the engine gives what the model gives when it is run plainly', async () => {
  const { engine } = toyEngine()
  for (const length of [1, 3, 4, 5, 15, 16, 17, 33, 70]) {
    for (const sampling of [greedy, drawn]) {
      const { tokens } = await generate(engine, prompt(length), sampling, { choices: 2 })
      expect(tokens).toEqual([await plainly(prompt(length), sampling, 0), await plainly(prompt(length), sampling, 1)])
    }
  }
})

describe.each(variants)('same tokens with %s', (_, toy) => {
  test('alone or in a batch with others', async () => {
    const { engine, forward } = toyEngine(toy, { maxBatch: 5 })
    const cases = Array.from({ length: 14 }, (_, i) => ({
      tokens: prompt(3 + i * 7, i),
      sampling: { ...drawn, seed: i, maxTokens: 40 + 3 * i },
    }))
    const together = await Promise.all(cases.map(({ tokens, sampling }) => generate(engine, tokens, sampling)))
    for (const [i, { tokens, sampling }] of cases.entries()) {
      expect(together[i]!.tokens).toEqual((await generate(toyEngine(toy).engine, tokens, sampling)).tokens)
    }
    const rows = forward.steps.map((step) => step.filter((chunk) => chunk.rows === 1).length)
    expect(Math.max(...rows)).toBeGreaterThanOrEqual(5)
  })

  test('with the prefix in the cache or not', async () => {
    const { engine } = toyEngine(toy)
    const shared = prompt(64)
    for (const [length, tail] of [[64, 0], [40, 9], [64, 1], [17, 5], [33, 30], [64, 20], [64, 20]] as const) {
      const tokens = [...shared.slice(0, length), ...prompt(tail, length)]
      const fresh = await generate(toyEngine(toy).engine, tokens, drawn)
      expect(fresh.cachedTokens).toBe(0)
      expect((await generate(engine, tokens, drawn)).tokens).toEqual(fresh.tokens)
    }
    expect(engine.stats().prefixHitTokens).toBeGreaterThan(64)
  })

  test('for n choices of one prefill as for each choice on its own', async () => {
    const { engine } = toyEngine(toy)
    for (const length of [7, 8, 30]) {
      const together = (await generate(engine, prompt(length), drawn, { choices: 3 })).tokens
      expect(new Set(together.map(String)).size).toBe(3)
      for (const choice of [0, 1, 2]) {
        const { engine: fresh } = toyEngine(toy)
        const hold = newName()
        const job = { hold, tokens: prompt(length), sampling: drawn, choices: choice + 1 }
        const { first } = await fresh.prefill(job, patience())
        const choices = [{ choice, generated: [first[choice]!.token] }]
        const rest = await decodeAll(fresh, { hold, prompt: prompt(length), sampling: drawn, choices })
        expect([first[choice]!, ...rest].map(({ token }) => token)).toEqual(together[choice])
        fresh.release(hold)
      }
    }
  })

  test('when a decode starts from one token or replays many', async () => {
    const { engine } = toyEngine(toy)
    const sampling = { ...drawn, maxTokens: 40, frequencyPenalty: 0.3, repetitionPenalty: 1.1 }
    const { tokens: [whole] } = await generate(engine, prompt(21), sampling)
    for (const known of [1, 2, 5, 19, 39, 40]) {
      const { engine: fresh } = toyEngine(toy)
      const hold = newName()
      await fresh.prefill({ hold, tokens: prompt(21), sampling, choices: 1 }, patience())
      expect(await decodeHold(fresh, hold, prompt(21), [whole!.slice(0, known)], sampling)).toEqual([whole])
      fresh.release(hold)
    }
  })

  test('after export and import into a second engine', async () => {
    const { engine: a } = toyEngine(toy)
    const { engine: b } = toyEngine(toy, { blocksTotal: 90 })
    for (const length of [5, 16, 18, 49]) {
      const tokens = prompt(length)
      const [hold, stay] = [newName(), await generate(a, tokens, drawn, { choices: 2 })]
      const { hold: info, first } = await a.prefill({ hold, tokens, sampling: drawn, choices: 2 }, patience())
      const { bytes, digest } = await a.exportHold(hold)
      a.release(hold)
      expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
      expect(await b.importHold({ ...info, tokenIds: tokens }, bytes, digest)).toEqual(info)
      expect(await decodeHold(b, hold, tokens, first.map(({ token }) => [token]))).toEqual(stay.tokens)
      b.release(hold)
      // What came in is a prefix for others, too.
      expect((await generate(b, [...tokens, 7], drawn)).tokens).toEqual(
        (await generate(a, [...tokens, 7], drawn)).tokens,
      )
    }
    expect(b.stats().prefixHitTokens).toBeGreaterThan(0)
  })

  test('whatever neighbours are aborted', async () => {
    const aborts: (() => void)[] = []
    const { engine } = toyEngine(toy, { maxBatch: 4, blocksTotal: 2000, onStep: () => aborts.shift()?.() })
    const sampling = { ...drawn, maxTokens: 60 }
    const alone = (await generate(toyEngine(toy).engine, prompt(30), sampling)).tokens
    const noise = Array.from({ length: 12 }, async (_, i) => {
      const abort = new AbortController()
      aborts.push(() => abort.abort())
      const gone = generate(engine, prompt(10 + 3 * i, i % 3), { ...drawn, maxTokens: 400 }, { signal: abort.signal })
      await expect(gone).rejects.toMatchObject({ code: 'cancelled' })
    })
    expect((await generate(engine, prompt(30), sampling)).tokens).toEqual(alone)
    await Promise.all(noise)
  })

  test('when blocks are scarce and every block has been somebody else’s before', async () => {
    const { engine } = toyEngine(toy, { blocksTotal: 12 })
    for (let i = 0; i < 20; i++) {
      const tokens = prompt(1 + ((i * 5) % 30), i % 4)
      expect((await generate(engine, tokens, drawn)).tokens).toEqual(
        (await generate(toyEngine(toy).engine, tokens, drawn)).tokens,
      )
    }
  })
})

test('a prompt cut anyhow gives the same tokens where the model is batch-invariant', async () => {
  const sizes = [4, 8, 16, 64]
  const all = await Promise.all(
    sizes.map((chunkTokens) => generate(toyEngine({}, { chunkTokens }).engine, prompt(61), drawn)),
  )
  for (const { tokens } of all) expect(tokens).toEqual(all[0]!.tokens)
})

test('where bits depend on the cut, blocks of an incomplete chunk are not reused as part of a whole one', async () => {
  const { engine } = toyEngine({ batchInvariant: false })
  const long = prompt(50)
  // Ends in the middle of the second chunk of 16: its blocks 4 and 5 are whole, but computed in a chunk of 10 rows.
  await generate(engine, long.slice(0, 26), drawn)
  await generate(engine, long, drawn)
  const again = await generate(engine, [...long.slice(0, 48), 1, 2], drawn)
  expect(again.cachedTokens).toBe(48)
  expect(again.tokens).toEqual(
    (await generate(toyEngine({ batchInvariant: false }).engine, [...long.slice(0, 48), 1, 2], drawn)).tokens,
  )
})

test('generated blocks are a prefix for the next turn where the model is batch-invariant', async () => {
  const { engine } = toyEngine()
  const turn = await generate(engine, prompt(10), drawn)
  const next = [...prompt(10), ...turn.tokens[0]!, 3, 4]
  const reply = await generate(engine, next, drawn)
  expect(reply.cachedTokens).toBe(20)
  expect(reply.tokens).toEqual((await generate(toyEngine().engine, next, drawn)).tokens)
})
