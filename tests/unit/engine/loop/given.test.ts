import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { GivenMark } from '../../../../runtime/engine/engine.ts'
import { sample } from '../../../../runtime/engine/sampler.ts'
import { givenRows } from '../../../../runtime/engine/vision/given.ts'
import { VolleyError } from '../../../../runtime/errors.ts'
import { KvPool } from '../../../../runtime/kv/pool.ts'
import {
  byChoice,
  closeToys,
  decodeAll,
  drawn,
  generate,
  newName,
  patience,
  prompt,
  toyEngine,
} from '../../../helpers/toy-engine.ts'
import { TOY_HIDDEN, toyForward } from '../../../helpers/toy-forward.ts'
import { givenLater, givenNow, toyVectors, withPlaces } from '../../../helpers/toy-pictures.ts'

afterEach(closeToys)

const variants = [
  ['a batch-invariant model', { batchInvariant: true }],
  ['a model whose bits depend on the cut', { batchInvariant: false }],
] as const

const never = new Promise<Float32Array>(() => {})
/** Two tiles of one picture and one of another, over blocks of 4 and chunks of 16. */
const marks: GivenMark[] = [
  { start: 7, tokens: 6, name: 'cat/0' },
  { start: 15, tokens: 6, name: 'cat/1' },
  { start: 30, tokens: 6, name: 'dog/0' },
]
const tokens = withPlaces(prompt(45), marks)

/** The truth: the whole sequence computed anew for every token, with no engine at all. */
async function plainly(ids: number[], places: readonly GivenMark[]): Promise<number[]> {
  const forward = toyForward()
  const pool = new KvPool({ layers: 2, kvDim: TOY_HIDDEN, blockTokens: 4 }, 100)
  const table = Array.from({ length: 100 }, (_, i) => 99 - i)
  const tiles = places.map((mark) => ({ start: mark.start, vectors: toyVectors(mark) }))
  const generated: number[] = []
  while (generated.length < drawn.maxTokens) {
    const all = [...ids, ...generated]
    const given = givenRows(tiles, TOY_HIDDEN, 0, all.length)
    const [logits] = await forward.run([{ tokens: all, given, start: 0, table, logits: 'last' }], pool)
    const draw = { sampling: drawn, choice: 0, index: generated.length, penalties: undefined }
    generated.push(sample(logits!, draw).token)
  }
  return generated
}

test('the engine gives what the model gives when it is run plainly', async () => {
  const { engine } = toyEngine()
  const { tokens: [got] } = await generate(engine, tokens, drawn, { given: givenNow(marks) })
  expect(got).toEqual(await plainly(tokens, marks))
  expect(got).not.toEqual(await plainly(tokens, []))
  expect(got).not.toEqual(await plainly(tokens, [marks[1]!, { ...marks[0]!, start: 15 }, marks[2]!]))
})

describe.each(variants)('with %s', (_, toy) => {
  test.each([[[0, 1, 2]], [[2, 1, 0]], [[1, 2, 0]], [[2, 0, 1]]])('vectors may come in order %j', async (order) => {
    const whole = await generate(toyEngine(toy).engine, tokens, drawn, { given: givenNow(marks) })
    const { engine, forward } = toyEngine(toy)
    const { given, arrive } = givenLater(marks)
    const late = generate(engine, tokens, drawn, { given })
    for (const place of order) {
      for (let i = 0; i < 10; i++) await setImmediate()
      expect(engine.stats()).toMatchObject({ prefillsWaiting: 1, holds: 0 })
      arrive(place)
    }
    expect((await late).tokens).toEqual(whole.tokens)
    // Before any vector came: all of the prompt that needs none, or nothing where the first chunk needs one.
    expect(forward.steps[0]).toEqual([{ start: 0, rows: toy.batchInvariant ? 7 : 16 }])
  })

  test('a prompt that waits lets others pass', async () => {
    const { engine } = toyEngine(toy)
    const { given, arrive } = givenLater(marks)
    const late = generate(engine, tokens, drawn, { given })
    for (const seed of [1, 2]) {
      const other = await generate(engine, prompt(40, seed), drawn)
      expect(other.tokens).toEqual((await generate(toyEngine(toy).engine, prompt(40, seed), drawn)).tokens)
    }
    const together = generate(engine, tokens, drawn, { given: givenNow(marks) })
    expect((await together).tokens[0]).toHaveLength(drawn.maxTokens)
    marks.forEach((_, place) => arrive(place))
    expect((await late).tokens).toEqual((await together).tokens)
  })

  test('where the prefix cache covers all places, no vectors are needed', async () => {
    const { engine } = toyEngine(toy)
    const whole = await generate(engine, tokens, drawn, { given: givenNow(marks.slice(0, 2)) })
    for (const vectors of [() => never, () => Promise.reject(new Error('nobody has it'))]) {
      const given = marks.slice(0, 2).map((mark) => ({ ...mark, vectors: vectors() }))
      const again = await generate(engine, tokens, drawn, { given })
      expect(again.tokens).toEqual(whole.tokens)
      expect(again.cachedTokens).toBeGreaterThanOrEqual(32)
    }
  })

  test('a prompt that has not begun takes over what others have computed meanwhile', async () => {
    const { engine } = toyEngine(toy)
    const places = [{ start: 0, tokens: 20, name: 'cat/0' }]
    const ids = withPlaces(prompt(40), places)
    const waiting = generate(engine, ids, drawn, { given: [{ ...places[0]!, vectors: never }] })
    const whole = await generate(engine, ids, drawn, { given: givenNow(places) })
    const late = await waiting
    expect(late.tokens).toEqual(whole.tokens)
    expect(late.cachedTokens).toBeGreaterThanOrEqual(20)
  })

  test('pictures of other names are not mixed, whatever is in the cache', async () => {
    const picture = fc.record({ gap: fc.nat(9), tokens: fc.integer({ min: 1, max: 13 }), name: fc.constantFrom('a', 'b') })
    const request = fc.record({ pictures: fc.array(picture, { maxLength: 3 }), tail: fc.nat(6) })
    const truths = new Map<string, number[]>()
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 6 }), async (requests) => {
        const { engine } = toyEngine(toy, { blocksTotal: 40 })
        for (const { pictures, tail } of requests) {
          let at = 0
          const places = pictures.map(({ gap, tokens: count, name }) => {
            const start = at + gap
            at = start + count
            return { start, tokens: count, name }
          })
          // One token id everywhere: the names alone tell prompts apart.
          const ids = withPlaces(Array.from({ length: at + tail + 1 }, () => 91), places)
          const { tokens: [got] } = await generate(engine, ids, drawn, { given: givenNow(places) })
          const key = JSON.stringify([places, ids.length])
          const fresh = truths.get(key) ??
            (await generate(toyEngine(toy).engine, ids, drawn, { given: givenNow(places) })).tokens[0]!
          truths.set(key, fresh)
          expect(got).toEqual(fresh)
        }
        await closeToys()
      }),
      { numRuns: 40 },
    )
  })

  test('moves with its names: a prefix for the same pictures on the other side, never for others', async () => {
    const { engine: a } = toyEngine(toy)
    const { engine: b } = toyEngine(toy)
    const hold = newName()
    const job = { hold, tokens, sampling: drawn, choices: 1, given: givenNow(marks) }
    const { hold: info, first } = await a.prefill(job, patience())
    const { bytes, digest } = await a.exportHold(hold)
    a.release(hold)
    await b.importHold({ ...info, tokenIds: tokens, given: marks }, bytes, digest)
    const choices = [{ choice: 0, generated: [first[0]!.token] }]
    const outs = [...first, ...(await decodeAll(b, { hold, prompt: tokens, sampling: drawn, choices }))]
    const whole = await generate(toyEngine(toy).engine, tokens, drawn, { given: givenNow(marks) })
    expect(byChoice(outs, 1)).toEqual(whole.tokens)
    b.release(hold)
    const cats = marks.slice(0, 2).map((mark) => ({ ...mark, vectors: never }))
    const again = await generate(b, tokens, drawn, { given: [...cats, ...givenNow(marks.slice(2))] })
    expect(again).toMatchObject({ tokens: whole.tokens, cachedTokens: toy.batchInvariant ? 44 : 32 })
    const others = marks.map((mark) => ({ ...mark, name: mark.name.replace('cat', 'cow') }))
    const other = await generate(b, tokens, drawn, { given: givenNow(others) })
    expect(other.cachedTokens).toBe(toy.batchInvariant ? 4 : 0)
    expect(other.tokens).toEqual((await generate(toyEngine(toy).engine, tokens, drawn, { given: givenNow(others) })).tokens)
  })
})

test.each([45, 36])('what was generated after a picture is a prefix for the next turn about it (%i tokens)', async (length) => {
  const { engine } = toyEngine()
  const tokens = withPlaces(prompt(length), marks)
  const turn = await generate(engine, tokens, drawn, { given: givenNow(marks) })
  const next = [...tokens, ...turn.tokens[0]!, 3, 4]
  const reply = await generate(engine, next, drawn, { given: marks.map((mark) => ({ ...mark, vectors: never })) })
  // All but the last token, whose KV nobody needed: whole blocks.
  expect(reply.cachedTokens).toBe(Math.floor((length + 11) / 4) * 4)
  expect(reply.tokens).toEqual((await generate(toyEngine().engine, next, drawn, { given: givenNow(marks) })).tokens)
})

describe('ends', () => {
  const waiting = (signal = patience()) => {
    const { engine } = toyEngine()
    const later = givenLater(marks)
    const job = { hold: 'h', tokens, sampling: drawn, choices: 1, given: later.given }
    return { engine, ...later, prefill: engine.prefill(job, signal) }
  }
  const freed = (engine: ReturnType<typeof waiting>['engine']) =>
    expect.poll(() => engine.stats()).toMatchObject({ blocksReserved: 0, prefillsWaiting: 0, holds: 0 })

  test('vectors that cannot be had fail their prefill with the same error', async () => {
    const { engine, prefill, lose, arrive } = waiting()
    arrive(0)
    lose(2, new VolleyError('kv_lost', 'the encoder is gone'))
    await expect(prefill).rejects.toMatchObject({ code: 'kv_lost', message: 'the encoder is gone' })
    lose(1, new Error('so is the other'))
    await freed(engine)
  })

  test('vectors of another length are refused', async () => {
    const { engine } = toyEngine()
    const given = [{ ...marks[0]!, vectors: Promise.resolve(new Float32Array(6 * TOY_HIDDEN - 1)) }]
    const prefill = engine.prefill({ hold: 'h', tokens, sampling: drawn, choices: 1, given }, patience())
    await expect(prefill).rejects.toMatchObject({ code: 'transfer_failed', message: expect.stringContaining('cat/0') })
    await freed(engine)
  })

  test('an abort, release() and close() reach a prompt that waits', async () => {
    const abort = new AbortController()
    const aborted = waiting(abort.signal)
    const released = waiting()
    const closed = waiting()
    await setImmediate()
    abort.abort()
    released.engine.release('h')
    await expect(aborted.prefill).rejects.toMatchObject({ code: 'cancelled' })
    await expect(released.prefill).rejects.toMatchObject({ code: 'cancelled' })
    await freed(aborted.engine)
    const refused = expect(closed.prefill).rejects.toMatchObject({ code: 'shutting_down' })
    await closed.engine.close()
    await refused
    for (const each of [aborted, released, closed]) each.arrive(0)
  })

  test.each([
    ['out of order', [marks[1]!, marks[0]!]],
    ['overlapping', [marks[0]!, { ...marks[1]!, start: 12 }]],
    ['past the end', [{ start: 40, tokens: 6, name: 'x' }]],
    ['before the start', [{ start: -1, tokens: 6, name: 'x' }]],
    ['empty', [{ start: 4, tokens: 0, name: 'x' }]],
    ['between tokens', [{ start: 1.5, tokens: 2, name: 'x' }]],
  ])('marks that are %s are refused', async (_, places) => {
    const { engine } = toyEngine()
    const job = { hold: 'h', tokens, sampling: drawn, choices: 1 }
    const lost = places.map((mark) => ({ ...mark, vectors: Promise.reject(new Error('unseen')) }))
    await expect(engine.prefill({ ...job, given: lost }, patience())).rejects.toMatchObject({ code: 'invalid_request' })
    const { hold: info } = await engine.prefill(job, patience())
    const { bytes, digest } = await engine.exportHold('h')
    engine.release('h')
    const moved = engine.importHold({ ...info, tokenIds: tokens, given: places }, bytes, digest)
    await expect(moved).rejects.toMatchObject({ code: 'transfer_failed' })
  })
})
