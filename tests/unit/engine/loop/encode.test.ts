import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { EncodeJob, TokenOut } from '../../../../runtime/engine/engine.ts'
import { handled } from '../../../../runtime/engine/handled.ts'
import { imageLayout } from '../../../../runtime/engine/vision/layout.ts'
import { processImage } from '../../../../runtime/engine/vision/processor.ts'
import { closeToys, drawn, newName, patience, prompt, toyEngine } from '../../../helpers/toy-engine.ts'
import {
  encodeJob,
  plainImage,
  toyImage,
  toySettings,
  toyVision,
  type ToyVisionOptions,
} from '../../../helpers/toy-vision.ts'

afterEach(closeToys)

const seeing = (options: ToyVisionOptions & { during?: () => unknown } = {}, toy = {}) => {
  const vision = toyVision(options)
  return { ...toyEngine(toy, { vision }), vision }
}

/** 4 by 3 tiles and the view of the whole. */
const large = toyImage(64, 48)
const all = Array.from({ length: 13 }, (_, tile) => tile)
/** A picture that is not cut: one tile. */
const small = (seed = 0) => encodeJob(toyImage(8, 8, seed), [0], true)

/** The truth: the whole picture processed and encoded with no engine at all, and of that the tiles asked for. */
async function plainly({ image, whole, tiles: wanted }: EncodeJob): Promise<number[]> {
  const { pixels, tiles } = processImage(whole ? { ...toySettings, splitting: false } : toySettings, image)
  const vectors = await toyVision().encoder.encode(pixels)
  const size = vectors.length / tiles
  return wanted.flatMap((tile) => [...vectors.subarray(tile * size, (tile + 1) * size)])
}

describe('encode()', () => {
  test('is there where the model sees, and says what it makes', () => {
    expect(toyEngine().engine.encode).toBeUndefined()
    expect(toyEngine().engine.info.vision).toBeUndefined()
    expect(seeing().engine.info.vision).toEqual({ numerics: 'v1/toy', tileTokens: 3, hiddenSize: 8 })
  })

  test('gives the tiles asked for, in the order asked for, on shared memory', async () => {
    const { engine } = seeing()
    const jobs = [all, [12], [3, 0, 3], [11, 12], []].map((tiles) => encodeJob(large, tiles))
    for (const job of [...jobs, encodeJob(large, [0], true)]) {
      const vectors = await engine.encode!(job, patience())
      expect(vectors.buffer).toBeInstanceOf(SharedArrayBuffer)
      expect([...vectors]).toEqual(await plainly(job))
    }
    expect(engine.stats().encodeTilesWaiting).toBe(0)
  })

  test('takes tiles of several pictures together, and each gets its own', async () => {
    const { engine, vision } = seeing({ callMs: 30 })
    await engine.encode!(small(), patience())
    const jobs = Array.from({ length: 9 }, (_, i) => (i % 4 === 3 ? encodeJob(large, [1, 5]) : small(i)))
    const made = jobs.map((job) => engine.encode!(job, patience()))
    expect(engine.stats().encodeTilesWaiting).toBe(11)
    for (const [i, vectors] of (await Promise.all(made)).entries()) {
      expect([...vectors]).toEqual(await plainly(jobs[i]!))
    }
    // The first call is the one before; how long others may be waited for depends on how long that took.
    expect(vision.calls.slice(1).reduce((sum, tiles) => sum + tiles, 0)).toBe(11)
    expect(Math.max(...vision.calls)).toBe(4)
    expect(vision.calls.length).toBeLessThan(9)
  })

  test('serves pictures in the order in which they came', async () => {
    const { engine } = seeing({ together: 2 })
    const order: number[] = []
    const jobs = [encodeJob(large, all), small(), encodeJob(large, [4, 5, 6]), small(1)]
    await Promise.all(jobs.map((job, i) => engine.encode!(job, patience()).then(() => order.push(i))))
    expect(order).toEqual([0, 1, 2, 3])
  })

  test.each([
    ['a tile it does not have', encodeJob(large, [13])],
    ['a tile that is no number', encodeJob(large, [0.5])],
    ['a second tile of an uncut picture', encodeJob(large, [1], true)],
    ['bytes that are no picture', encodeJob({ ...large, height: 49 }, [0])],
  ])('refuses %s', async (_, job) => {
    await expect(seeing().engine.encode!(job, patience())).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('what cannot be encoded takes none of its neighbours down', async () => {
    const { engine } = seeing({ poison: 77, callMs: 20 })
    await engine.encode!(small(), patience())
    const bad = encodeJob(plainImage(8, 8, 77), [0], true)
    const jobs = [small(1), bad, small(2)].map((job) => handled(engine.encode!(job, patience())))
    await expect(jobs[1]).rejects.toMatchObject({ code: 'engine_failed', message: expect.stringContaining('poisoned') })
    expect([...(await jobs[0]!)]).toEqual(await plainly(small(1)))
    expect([...(await jobs[2]!)]).toEqual(await plainly(small(2)))
  })

  test('an abort is heard between two tiles', async () => {
    const abort = new AbortController()
    const { engine, vision } = seeing({ together: 1, during: () => vision.calls.length === 3 && abort.abort() })
    const gone = engine.encode!(encodeJob(large, all), abort.signal)
    const stays = engine.encode!(small(), patience())
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' })
    expect([...(await stays)]).toEqual(await plainly(small()))
    expect(vision.calls).toEqual([1, 1, 1, 1])
    expect(engine.stats().encodeTilesWaiting).toBe(0)
    const late = engine.encode!(small(), abort.signal)
    await expect(late).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('close() ends what waits with `shutting_down`', async () => {
    const { engine } = seeing({ callMs: 5 })
    const jobs = [encodeJob(large, all), small()].map((job) => handled(engine.encode!(job, patience())))
    await setImmediate()
    const refused = jobs.map((job) => expect(job).rejects.toMatchObject({ code: 'shutting_down' }))
    await engine.close()
    await Promise.all(refused)
  })
})

describe('beside other work', () => {
  test('between two calls of the encoder every decode gets its token and prompts go on', async () => {
    const happened: string[] = []
    const { engine } = seeing(
      { together: 1, during: () => happened.push('tile') },
      { during: () => happened.push('step') },
    )
    const sampling = { ...drawn, maxTokens: 200 }
    const hold = newName()
    const { first } = await engine.prefill({ hold, tokens: prompt(9), sampling, choices: 1 }, patience())
    const outs: TokenOut[] = []
    const job = { hold, prompt: prompt(9), sampling, choices: [{ choice: 0, generated: [first[0]!.token] }] }
    const started = Promise.withResolvers<void>()
    const run = engine.decode(job, (tokens) => (outs.push(...tokens), started.resolve()), patience())
    await started.promise
    happened.length = 0
    const before = outs.length
    const other = engine.prefill({ hold: 'p', tokens: prompt(100, 3), sampling, choices: 1 }, patience())
    await engine.encode!(encodeJob(large, all), patience())
    const during = happened.join(' ')
    expect(during).not.toContain('tile tile')
    expect(during.match(/tile/g)).toHaveLength(13)
    expect(outs.length - before).toBeGreaterThanOrEqual(12)
    await other
    run.stop(0)
    await run.done
    engine.release(hold)
    engine.release('p')
  })

  test('beside decodes a call is no longer than a step may be for the sake of prefills', async () => {
    const vision = toyVision({ together: 4, callMs: 20 })
    const { engine } = toyEngine({}, { vision, mixedStepMs: 1 })
    await engine.encode!(encodeJob(large, all.slice(0, 4)), patience())
    expect(vision.calls).toEqual([4])
    const sampling = { ...drawn, maxTokens: 400 }
    const hold = newName()
    const { first } = await engine.prefill({ hold, tokens: prompt(9), sampling, choices: 1 }, patience())
    const job = { hold, prompt: prompt(9), sampling, choices: [{ choice: 0, generated: [first[0]!.token] }] }
    const run = engine.decode(job, () => {}, patience())
    await engine.encode!(encodeJob(large, all.slice(0, 4)), patience())
    expect(vision.calls).toEqual([4, 1, 1, 1, 1])
    run.stop(0)
    await run.done
    engine.release(hold)
  })
})

test('the toy settings cut as these tests say', () => {
  expect(imageLayout(toySettings, large)).toMatchObject({ rows: 3, cols: 4, tiles: 13 })
})
