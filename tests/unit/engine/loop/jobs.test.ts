import { afterEach, describe, expect, test } from 'vitest'
import type { TokenOut } from '../../../../runtime/engine/engine.ts'
import {
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

afterEach(closeToys)

const long = { ...drawn, maxTokens: 400 }

/** A hold and a decode of it that goes on until it is told otherwise. */
async function running(
  engine: ReturnType<typeof toyEngine>['engine'],
  tokens = prompt(9),
  choices = 1,
  signal = patience(),
) {
  const hold = newName()
  const { first } = await engine.prefill({ hold, tokens, sampling: long, choices }, signal)
  const outs: TokenOut[] = []
  const started = Promise.withResolvers<void>()
  const job = {
    hold,
    prompt: tokens,
    sampling: long,
    choices: first.map(({ choice, token }) => ({ choice, generated: [token] })),
  }
  const run = engine.decode(job, (tokens) => (outs.push(...tokens), started.resolve()), signal)
  await Promise.race([started.promise, run.done])
  return { hold, run, outs }
}

describe('ends', () => {
  test('maxTokens ends with `length`, in the prefill if it is 1', async () => {
    const { engine } = toyEngine()
    const { outs } = await generate(engine, prompt(5), { ...greedy, maxTokens: 1 })
    expect(outs).toMatchObject([{ index: 0, finish: 'length' }])
    const more = (await generate(engine, prompt(5), { ...greedy, maxTokens: 3 })).outs
    expect(more.map(({ index, finish }) => [index, finish])).toEqual([[0, undefined], [1, undefined], [2, 'length']])
  })

  test('a stop token ends with `stop` and is reported; ignoreEos goes past it', async () => {
    const { engine } = toyEngine()
    const { tokens: [all] } = await generate(engine, prompt(5), drawn)
    const at = all!.findIndex((token, i) => i > 2 && !all!.slice(0, i).includes(token))
    const { outs } = await generate(engine, prompt(5), { ...drawn, stopTokens: [all![at]!] })
    expect(outs.at(-1)).toMatchObject({ token: all![at], index: at, finish: 'stop' })
    const past = await generate(engine, prompt(5), { ...drawn, stopTokens: [all![at]!], ignoreEos: true })
    expect(past.tokens[0]).toEqual(all)
  })

  test('the context’s end ends with `length`', async () => {
    const { engine } = toyEngine({}, { contextLength: 24 })
    const { outs } = await generate(engine, prompt(17), long)
    expect(outs).toHaveLength(7)
    expect(outs.at(-1)!.finish).toBe('length')
    await expect(generate(engine, prompt(24), long)).rejects.toMatchObject({ code: 'context_length_exceeded' })
    expect((await generate(engine, prompt(23), long)).outs).toMatchObject([{ finish: 'length' }])
  })

  test('stop(choice) ends that choice, no token of it follows, the others go on', async () => {
    const { engine } = toyEngine()
    const { hold, run, outs } = await running(engine, prompt(9), 3)
    run.stop(1)
    const before = outs.filter(({ choice }) => choice === 1).length
    run.stop(1)
    await run.done
    engine.release(hold)
    expect(outs.filter(({ choice }) => choice === 1)).toHaveLength(before)
    expect(outs.filter(({ choice }) => choice === 2)).toHaveLength(399)
  })

  test('an abort in the middle rejects `cancelled` and frees all blocks', async () => {
    const { engine } = toyEngine({ stepMs: 2 })
    const abort = new AbortController()
    const { hold, run } = await running(engine, prompt(9), 2, abort.signal)
    abort.abort()
    await expect(run.done).rejects.toMatchObject({ code: 'cancelled' })
    engine.release(hold)
    await expect.poll(() => engine.stats()).toMatchObject({ blocksReserved: 0, decodesRunning: 0 })
    await expect(generate(engine, prompt(9), drawn, { signal: abort.signal })).rejects.toMatchObject({
      code: 'cancelled',
    })
  })

  test('a choice that came complete ends at once', async () => {
    const { engine } = toyEngine()
    const hold = newName()
    await engine.prefill({ hold, tokens: prompt(4), sampling: greedy, choices: 1 }, patience())
    const sampling = { ...greedy, stopTokens: [7] }
    const job = { hold, prompt: prompt(4), sampling, choices: [{ choice: 0, generated: [3, 7] }] }
    expect(await decodeAll(engine, job)).toEqual([])
    engine.release(hold)
  })

  test('release() cancels the prefill that would make the hold', async () => {
    const { engine } = toyEngine({ stepMs: 1 })
    const prefill = engine.prefill({ hold: 'early', tokens: prompt(100), sampling: drawn, choices: 1 }, patience())
    engine.release('early')
    await expect(prefill).rejects.toMatchObject({ code: 'cancelled' })
    engine.release('never was')
  })

  test('a hold released while it decodes keeps its blocks until the decode ends', async () => {
    const { engine } = toyEngine()
    const { hold, run, outs } = await running(engine, prompt(10))
    engine.release(hold)
    await run.done
    const whole = await generate(engine, prompt(10), long)
    expect(outs.map(({ token }) => token)).toEqual(whole.tokens[0]!.slice(1))
  })
})

describe('in the middle of a step', () => {
  test('stop(choice) lets no token of that step through', async () => {
    let during = () => {}
    const { engine, forward } = toyEngine({ during: () => during() })
    const { hold, run, outs } = await running(engine, prompt(9), 2)
    const shown = outs.filter(({ choice }) => choice === 0).length
    during = () => {
      if (forward.steps.length > shown + 3) run.stop(0)
    }
    await run.done
    engine.release(hold)
    // Steps: the prefill, then one a token; the one in which it was stopped gives none.
    expect(outs.filter(({ choice }) => choice === 0)).toHaveLength(shown + 2)
  })

  test('an abort does not free blocks that the step still writes', async () => {
    const { engine: other } = toyEngine()
    const { hold: info } = await other.prefill(
      { hold: 'in', tokens: prompt(40), sampling: drawn, choices: 1 },
      patience(),
    )
    const { bytes, digest } = await other.exportHold('in')
    other.release('in')
    const abort = new AbortController()
    let imported: Promise<unknown> | undefined
    const { engine } = toyEngine({
      during: () => {
        if (imported) return
        abort.abort()
        imported = engine.importHold({ ...info, tokenIds: prompt(40) }, bytes, digest)
        return imported
      },
    }, { blocksTotal: 14 })
    const prefill = engine.prefill({ hold: 'out', tokens: prompt(16, 1), sampling: drawn, choices: 1 }, abort.signal)
    await expect(prefill).rejects.toMatchObject({ code: 'cancelled' })
    await imported
    await generate(engine, prompt(3), { ...drawn, maxTokens: 1 })
    expect((await engine.exportHold('in')).digest).toBe(digest)
    engine.release('in')
  })
})

describe('room', () => {
  test('hasRoom() and `kv_exhausted` agree, and a run that has started never runs out', async () => {
    const { engine } = toyEngine({}, { blocksTotal: 20 })
    const sampling = { ...drawn, maxTokens: 40 }
    const hold = newName()
    const { first } = await engine.prefill({ hold, tokens: prompt(16), sampling, choices: 2 }, patience())
    expect(engine.stats().blocksReserved).toBe(4)
    const job = (choice: number) => ({
      hold,
      prompt: prompt(16),
      sampling,
      choices: [{ choice, generated: [first[choice]!.token] }],
    })
    const outs: TokenOut[] = []
    const run = engine.decode(job(0), (tokens) => outs.push(...tokens), patience())
    // 16 + 39 tokens take 14 blocks, 4 of them the hold's.
    expect(engine.stats().blocksReserved).toBe(14)
    expect([engine.hasRoom(24), engine.hasRoom(25)]).toEqual([true, false])
    await expect(engine.decode(job(1), () => {}, patience()).done).rejects.toMatchObject({ code: 'kv_exhausted' })
    const second = { hold: 'second', tokens: prompt(25, 1), sampling, choices: 1 }
    await expect(engine.prefill(second, patience())).rejects.toMatchObject({ code: 'kv_exhausted' })
    await run.done
    expect(outs).toHaveLength(39)
    engine.release(hold)
  })

  test('prompts with a common prefix in the pool need room for the rest only', async () => {
    const { engine } = toyEngine({}, { blocksTotal: 20 })
    const names = Array.from({ length: 5 }, newName)
    for (const [i, hold] of names.entries()) {
      const tokens = [...prompt(48), i, i]
      await engine.prefill({ hold, tokens, sampling: drawn, choices: 1 }, patience())
    }
    expect(engine.stats()).toMatchObject({ holds: 5, blocksReserved: 12 + 5 })
    for (const hold of names) engine.release(hold)
    expect(engine.stats()).toMatchObject({ blocksFree: 20, blocksCached: 12 })
  })

  test('choices beyond maxBatch wait their turn', async () => {
    const { engine, forward } = toyEngine({}, { maxBatch: 2 })
    const { tokens } = await generate(engine, prompt(6), drawn, { choices: 5 })
    expect(tokens.map(({ length }) => length)).toEqual([12, 12, 12, 12, 12])
    expect(Math.max(...forward.steps.map(({ length }) => length))).toBe(2)
  })
})

describe('fairness', () => {
  test.each([true, false])(
    'a long prompt does not stop decodes, nor they it (batchInvariant %s)',
    async (batchInvariant) => {
      const { engine, forward } = toyEngine({ batchInvariant })
      const { hold, run, outs } = await running(engine)
      const from = forward.steps.length
      const shown = outs.length
      await engine.prefill({ hold: 'other', tokens: prompt(200, 3), sampling: drawn, choices: 1 }, patience())
      const during = forward.steps.slice(from)
      expect(outs.length - shown).toBeGreaterThanOrEqual(Math.floor(during.length / 2) - 1)
      expect(during.length).toBeLessThanOrEqual(batchInvariant ? 60 : 32)
      run.stop(0)
      await run.done
      engine.release(hold)
      engine.release('other')
    },
  )

  test('prompts share a step where rows do not depend on each other', async () => {
    const { engine, forward } = toyEngine()
    await Promise.all([5, 6, 4].map((length, i) => generate(engine, prompt(length, i), { ...drawn, maxTokens: 1 })))
    expect(forward.steps).toEqual([[5, 6, 4].map((rows) => ({ start: 0, rows }))])
  })

  test('a replay takes several tokens a step there, and one a step elsewhere', async () => {
    for (const [batchInvariant, expected] of [[true, [10]], [false, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]] as const) {
      const { engine, forward } = toyEngine({ batchInvariant })
      const hold = newName()
      const sampling = { ...drawn, maxTokens: 11 }
      await engine.prefill({ hold, tokens: prompt(3), sampling, choices: 1 }, patience())
      const generated = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
      await decodeAll(engine, { hold, prompt: prompt(3), sampling, choices: [{ choice: 0, generated }] })
      expect(forward.steps.slice(1).map(([chunk]) => chunk!.rows)).toEqual(expected)
      engine.release(hold)
    }
  })
})

describe('failure', () => {
  test('a job whose step throws fails with `engine_failed`; the loop lives on', async () => {
    const { engine } = toyEngine({ poison: 95 })
    const bad = generate(engine, [1, 2, 95], drawn)
    await expect(bad).rejects.toMatchObject({ code: 'engine_failed', message: expect.stringContaining('poisoned') })
    const hold = newName()
    await engine.prefill({ hold, tokens: [4, 5], sampling: drawn, choices: 1 }, patience())
    const job = { hold, prompt: [4, 5], sampling: drawn, choices: [{ choice: 0, generated: [95] }] }
    await expect(engine.decode(job, () => {}, patience()).done).rejects.toMatchObject({ code: 'engine_failed' })
    engine.release(hold)
    expect((await generate(engine, prompt(9), drawn)).tokens).toEqual(
      (await generate(toyEngine().engine, prompt(9), drawn)).tokens,
    )
  })

  test('what cannot be computed takes none of its step’s neighbours down', async () => {
    for (const batchInvariant of [true, false]) {
      const { engine } = toyEngine({ poison: 95, batchInvariant })
      const good = [2, 3].map((seed) => generate(engine, prompt(9, seed), { ...drawn, maxTokens: 40 }))
      const hold = newName()
      await engine.prefill({ hold, tokens: [4, 5], sampling: drawn, choices: 1 }, patience())
      const job = { hold, prompt: [4, 5], sampling: drawn, choices: [{ choice: 0, generated: [95] }] }
      await expect(engine.decode(job, () => {}, patience()).done).rejects.toMatchObject({ code: 'engine_failed' })
      engine.release(hold)
      for (const [i, { tokens }] of (await Promise.all(good)).entries()) {
        const { engine: fresh } = toyEngine({ batchInvariant })
        expect(tokens).toEqual((await generate(fresh, prompt(9, i + 2), { ...drawn, maxTokens: 40 })).tokens)
      }
    }
  })

  test('logits that are not numbers fail their own job only', async () => {
    const { engine } = toyEngine({ nan: 94 })
    const bad = generate(engine, [1, 94], drawn)
    const good = generate(engine, prompt(9), drawn)
    await expect(bad).rejects.toMatchObject({ code: 'engine_failed', message: expect.stringContaining('not finite') })
    expect((await good).tokens).toEqual((await generate(toyEngine().engine, prompt(9), drawn)).tokens)
  })

  test('a listener that throws ends its own run only', async () => {
    const { engine } = toyEngine()
    const other = await running(engine, prompt(8, 2))
    const hold = newName()
    const { first } = await engine.prefill({ hold, tokens: prompt(9), sampling: long, choices: 1 }, patience())
    const job = { hold, prompt: prompt(9), sampling: long, choices: [{ choice: 0, generated: [first[0]!.token] }] }
    const run = engine.decode(job, () => {
      throw new Error('a bad listener')
    }, patience())
    await expect(run.done).rejects.toThrow('a bad listener')
    await other.run.done
    engine.release(hold)
    engine.release(other.hold)
  })

  test.each([
    ['an empty prompt', { tokens: [] }, 'invalid_request'],
    ['a token beyond the vocabulary', { tokens: [1, 96] }, 'invalid_request'],
    ['a token that is no id', { tokens: [1.5] }, 'invalid_request'],
    ['no choices', { choices: 0 }, 'invalid_request'],
    ['maxTokens 0', { sampling: { ...drawn, maxTokens: 0 } }, 'invalid_request'],
    ['top_p 0', { sampling: { ...drawn, topP: 0 } }, 'invalid_request'],
    ['a negative temperature', { sampling: { ...drawn, temperature: -1 } }, 'invalid_request'],
  ])('prefill() refuses %s', async (_, part, code) => {
    const { engine } = toyEngine()
    const job = { hold: 'h', tokens: [1], sampling: drawn, choices: 1, ...part }
    await expect(engine.prefill(job, patience())).rejects.toMatchObject({ code })
  })

  test('decode() refuses an unknown hold, another prompt, and choices without a first token', async () => {
    const { engine } = toyEngine()
    await engine.prefill({ hold: 'h', tokens: [1, 2], sampling: drawn, choices: 1 }, patience())
    const job = { hold: 'h', prompt: [1, 2], sampling: drawn, choices: [{ choice: 0, generated: [1] }] }
    await expect(decodeAll(engine, { ...job, hold: 'x' })).rejects.toMatchObject({ code: 'kv_lost' })
    await expect(decodeAll(engine, { ...job, prompt: [1, 3] })).rejects.toMatchObject({ code: 'kv_lost' })
    const empty = [{ choice: 0, generated: [] }]
    await expect(decodeAll(engine, { ...job, choices: empty })).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(decodeAll(engine, { ...job, choices: [] })).rejects.toMatchObject({ code: 'invalid_request' })
    engine.release('h')
  })

  test('close() ends what runs with `shutting_down` and takes nothing new', async () => {
    const { engine } = toyEngine({ stepMs: 1 })
    const { hold, run } = await running(engine)
    const prefill = engine.prefill({ hold: 'p', tokens: prompt(90), sampling: drawn, choices: 1 }, patience())
    const closed = engine.close()
    await expect(run.done).rejects.toMatchObject({ code: 'shutting_down' })
    await expect(prefill).rejects.toMatchObject({ code: 'shutting_down' })
    await closed
    await expect(generate(engine, [1], drawn)).rejects.toMatchObject({ code: 'shutting_down' })
    engine.release(hold)
  })
})

test('stats() counts', async () => {
  const { engine } = toyEngine()
  await generate(engine, prompt(20), drawn)
  await generate(engine, prompt(20), { ...drawn, seed: 7 })
  expect(engine.stats()).toMatchObject({
    prefillTokensTotal: 24,
    prefixHitTokens: 16,
    decodeTokensTotal: 22,
    prefillsWaiting: 0,
    prefillTokensWaiting: 0,
    decodesRunning: 0,
  })
  expect(engine.stats().stepMs).toBeGreaterThan(0)
  expect(engine.stats().memoryBytes).toBe(engine.info.blocksTotal * engine.info.blockBytes)
})
