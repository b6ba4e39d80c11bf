import { afterEach, describe, expect, test } from 'vitest'
import type { TokenOut } from '../../../../runtime/engine/engine.ts'
import type { EngineThread } from '../../../../runtime/engine/worker/client.ts'
import { startEngine, type StartOptions } from '../../../../runtime/engine/worker/start.ts'
import type { JsonObject } from '../../../../runtime/json.ts'
import { VolleyError } from '../../../../runtime/errors.ts'
import { type ToyOptions, TOY_HIDDEN } from '../../../helpers/toy-forward.ts'
import { givenLater, givenNow, withPlaces } from '../../../helpers/toy-pictures.ts'
import { encodeJob, toyImage, toyVision } from '../../../helpers/toy-vision.ts'
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

const factory = new URL('../../../helpers/toy-factory.ts', import.meta.url)
const open: EngineThread[] = []
const start = async (toy: ToyOptions & JsonObject = {}, options: Partial<StartOptions> = {}) => {
  const engine = await startEngine({ factory, load: { ...toy }, blockTokens: 4, chunkTokens: 16, ...options })
  open.push(engine)
  return engine
}
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close()
  await closeToys()
})

const long = { ...drawn, maxTokens: 400 }

/** A decode that goes on until it is told otherwise; resolves at its first tokens. */
async function running(engine: EngineThread, choices = 1, signal = patience()) {
  const hold = newName()
  const { first } = await engine.prefill({ hold, tokens: prompt(9), sampling: long, choices }, signal)
  const outs: TokenOut[][] = []
  const started = Promise.withResolvers<void>()
  const job = {
    hold,
    prompt: prompt(9),
    sampling: long,
    choices: first.map(({ choice, token }) => ({ choice, generated: [token] })),
  }
  const run = engine.decode(job, (tokens) => (outs.push(tokens), started.resolve()), signal)
  await started.promise
  return { hold, run, outs }
}

describe('an engine on its own thread', () => {
  test('gives the same tokens as one on this thread', async () => {
    const engine = await start()
    const { engine: core } = toyEngine()
    expect(engine.info).toEqual(core.info)
    for (const choices of [1, 3]) {
      const [here, there] = [
        await generate(core, prompt(37), drawn, { choices }),
        await generate(engine, prompt(37), drawn, { choices }),
      ]
      expect(there).toEqual(here)
    }
  })

  test('hands on all tokens of a step at once', async () => {
    const engine = await start()
    const { run, outs } = await running(engine, 3)
    await run.done
    expect(outs).toHaveLength(399)
    for (const [i, tokens] of outs.entries()) {
      expect(tokens.map(({ choice, index }) => [choice, index])).toEqual([[0, i + 1], [1, i + 1], [2, i + 1]])
    }
  })

  test('stats() follows, hasRoom() counts calls that are still on their way', async () => {
    const engine = await start({}, { blocksTotal: 20 })
    expect([engine.hasRoom(80), engine.hasRoom(81)]).toEqual([true, false])
    const prefill = engine.prefill({ hold: 'h', tokens: prompt(33), sampling: drawn, choices: 1 }, patience())
    expect([engine.hasRoom(44), engine.hasRoom(45)]).toEqual([true, false])
    await prefill
    expect(engine.stats()).toMatchObject({ holds: 1, blocksReserved: 9, blocksFree: 11, prefillTokensTotal: 33 })
    expect([engine.hasRoom(44), engine.hasRoom(45)]).toEqual([true, false])
    engine.release('h')
    await expect.poll(() => engine.stats()).toMatchObject({ holds: 0, blocksReserved: 0, blocksFree: 20 })
  })

  test('hold() knows what is held, from the answer on until release()', async () => {
    const engine = await start({ stepMs: 20 })
    const { hold: info } = await engine.prefill(
      { hold: 'h', tokens: prompt(6), sampling: drawn, choices: 1 },
      patience(),
    )
    expect(engine.hold('h')).toEqual(info)
    engine.release('h')
    expect(engine.hold('h')).toBeUndefined()
    const early = engine.prefill({ hold: 'early', tokens: prompt(60), sampling: drawn, choices: 1 }, patience())
    engine.release('early')
    await expect(early).rejects.toMatchObject({ code: 'cancelled' })
    expect(engine.hold('early')).toBeUndefined()
  })

  test('moves a hold to another engine over shared memory', async () => {
    const [a, b] = [await start(), await start()]
    const stay = await generate(a, prompt(30), drawn, { choices: 2 })
    const { hold: info, first } = await a.prefill(
      { hold: 'h', tokens: prompt(30), sampling: drawn, choices: 2 },
      patience(),
    )
    const { bytes, digest } = await a.exportHold('h')
    expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
    a.release('h')
    expect(await b.importHold({ ...info, tokenIds: prompt(30) }, bytes, digest)).toEqual(info)
    const choices = first.map(({ choice, token }) => ({ choice, generated: [token] }))
    const outs = [...first, ...(await decodeAll(b, { hold: 'h', prompt: prompt(30), sampling: drawn, choices }))]
    expect(byChoice(outs, 2)).toEqual(stay.tokens)
    await b.importHold({ ...info, hold: 'pooled', tokenIds: prompt(30) }, Uint8Array.from(bytes), digest)
    b.release('pooled')
    bytes[9]! ^= 1
    const again = b.importHold({ ...info, tokenIds: prompt(30) }, bytes, digest)
    await expect(again).rejects.toMatchObject({ code: 'transfer_failed', remedy: expect.any(String) })
  })
})

describe('pictures', () => {
  const marks = [{ start: 3, tokens: 6, name: 'cat/0' }, { start: 20, tokens: 6, name: 'cat/1' }]
  const tokens = withPlaces(prompt(37), marks)

  test('encode() gives the same vectors as on this thread, over shared memory', async () => {
    const engine = await start({ vision: {} })
    const { engine: core } = toyEngine({}, { vision: toyVision() })
    expect(engine.info).toEqual(core.info)
    expect((await start()).encode).toBeUndefined()
    const job = encodeJob(toyImage(64, 48), [2, 0, 12])
    const vectors = await engine.encode!(job, patience())
    expect(vectors).toEqual(await core.encode!(job, patience()))
    expect(vectors.buffer).toBeInstanceOf(SharedArrayBuffer)
    const bad = engine.encode!(encodeJob(toyImage(64, 48), [13]), patience())
    await expect(bad).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('encode() is aborted between tiles, and counted until then', async () => {
    const engine = await start({ vision: { together: 1, callMs: 300 } })
    const abort = new AbortController()
    const gone = engine.encode!(encodeJob(toyImage(64, 48), [0, 1, 2, 3, 4, 5, 6, 7]), abort.signal)
    await expect.poll(() => engine.stats().encodeTilesWaiting).toBeGreaterThan(0)
    abort.abort()
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' })
    await expect.poll(() => engine.stats().encodeTilesWaiting).toBe(0)
  })

  test('vectors that are here, or come later, give the same tokens as on this thread', async () => {
    const engine = await start()
    const { engine: core } = toyEngine()
    const whole = await generate(core, tokens, drawn, { given: givenNow(marks) })
    expect(await generate(engine, tokens, drawn, { given: givenNow(marks) })).toEqual(whole)
    const other = await start()
    const { given, arrive } = givenLater(marks)
    const late = generate(other, tokens, drawn, { given })
    await expect.poll(() => other.stats()).toMatchObject({ prefillsWaiting: 1, prefillTokensTotal: 3 })
    arrive(1)
    arrive(0)
    expect((await late).tokens).toEqual(whole.tokens)
  })

  test('vectors that cannot be had, or do not fit, fail their prefill', async () => {
    const engine = await start()
    const { given, lose } = givenLater(marks)
    const lost = generate(engine, tokens, drawn, { given })
    lose(1, new VolleyError('kv_lost', 'the encoder is gone'))
    await expect(lost).rejects.toMatchObject({ code: 'kv_lost', message: 'the encoder is gone' })
    const short = [{ ...marks[0]!, vectors: Promise.resolve(new Float32Array(TOY_HIDDEN)) }]
    const refused = generate(engine, tokens, drawn, { given: short })
    await expect(refused).rejects.toMatchObject({ code: 'transfer_failed', remedy: expect.any(String) })
    await expect.poll(() => engine.stats()).toMatchObject({ blocksReserved: 0, prefillsWaiting: 0 })
  })

  test('an abort reaches a prefill that waits; what comes after it is dropped', async () => {
    const engine = await start()
    const abort = new AbortController()
    const { given, arrive } = givenLater(marks)
    const gone = generate(engine, tokens, drawn, { given, signal: abort.signal })
    await expect.poll(() => engine.stats().prefillsWaiting).toBe(1)
    abort.abort()
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' })
    arrive(0)
    expect((await generate(engine, prompt(9), drawn)).tokens[0]).toHaveLength(12)
  })

  test('a prefill that waits for vectors fails with the thread that hangs beside it', async () => {
    const stuck = await start({ stepMs: 1e8 }, { stallTimeoutMs: 60 })
    const hung = { code: 'engine_failed', message: expect.stringContaining('has not ended') }
    const waits = expect(generate(stuck, tokens, drawn, { given: givenLater(marks).given })).rejects.toMatchObject(hung)
    await expect(generate(stuck, [1], drawn)).rejects.toMatchObject(hung)
    await waits
  })
})

describe('ends', () => {
  test('an abort arrives between steps', async () => {
    const engine = await start({ stepMs: 20 })
    const abort = new AbortController()
    const { run, outs, hold } = await running(engine, 2, abort.signal)
    abort.abort()
    await expect(run.done).rejects.toMatchObject({ code: 'cancelled' })
    expect(outs.length).toBeLessThan(399)
    engine.release(hold)
    await expect.poll(() => engine.stats()).toMatchObject({ decodesRunning: 0, blocksReserved: 0 })
    const late = engine.prefill({ hold: 'x', tokens: [1], sampling: drawn, choices: 1 }, abort.signal)
    await expect(late).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('stop(choice) ends that choice', async () => {
    const engine = await start({ stepMs: 20 })
    const { run, outs } = await running(engine, 2)
    const counts = () => byChoice(outs.flat(), 2).map(({ length }) => length) as [number, number]
    run.stop(1)
    await expect.poll(() => counts()[0] - counts()[1]).toBeGreaterThan(3)
    const [, stopped] = counts()
    run.stop(0)
    await run.done
    expect(counts()[1]).toBe(stopped)
    expect(counts()[0]).toBeLessThan(399)
  })

  test('a failing step is `engine_failed`, and the thread lives on', async () => {
    const engine = await start({ poison: 95 })
    await expect(generate(engine, [95], drawn)).rejects.toMatchObject({ code: 'engine_failed' })
    expect((await generate(engine, prompt(9), drawn)).tokens).toEqual(
      (await generate(toyEngine().engine, prompt(9), drawn)).tokens,
    )
  })

  test('the thread’s death rejects all that is open and all that comes, and is told', async () => {
    const engine = await start({ deadly: 93 })
    const exits: unknown[] = []
    engine.onExit((error) => exits.push(error))
    const { run } = await running(engine)
    const dead = { code: 'engine_failed', message: expect.stringContaining('thread ended') }
    await expect(generate(engine, [93], drawn)).rejects.toMatchObject(dead)
    await expect(run.done).rejects.toMatchObject(dead)
    await expect(generate(engine, [1], drawn)).rejects.toMatchObject(dead)
    await expect(engine.exportHold('h')).rejects.toMatchObject(dead)
    engine.release('h')
    run.stop(0)
    expect(exits).toMatchObject([dead])
    engine.onExit((error) => exits.push(error))
    await expect.poll(() => exits).toHaveLength(2)
    await engine.close()
  })

  test('close() ends runs with `shutting_down`, may be called again, and is told as no error', async () => {
    const engine = await start({ stepMs: 20 })
    const exits: unknown[] = []
    engine.onExit((error) => exits.push(error))
    const { run } = await running(engine)
    const closed = engine.close()
    await expect(run.done).rejects.toMatchObject({ code: 'shutting_down' })
    await Promise.all([closed, engine.close()])
    expect(exits).toEqual([undefined])
    await expect(generate(engine, [1], drawn)).rejects.toMatchObject({ code: 'shutting_down' })
  })

  test('close() does not wait for a step that never ends', async () => {
    const engine = await start({ stepMs: 1e8 }, { closeTimeoutMs: 50 })
    const stuck = engine.prefill({ hold: 'h', tokens: [1], sampling: drawn, choices: 1 }, patience())
    const refused = expect(stuck).rejects.toMatchObject({ code: 'shutting_down' })
    await engine.close()
    await refused
  })

  test('a thread that hangs in a step is ended, and the reason told', async () => {
    const engine = await start({ stepMs: 1e8 }, { stallTimeoutMs: 60 })
    const exit = new Promise((resolve) => engine.onExit(resolve))
    const hung = { code: 'engine_failed', message: expect.stringContaining('has not ended') }
    await expect(generate(engine, [1], drawn)).rejects.toMatchObject(hung)
    expect(await exit).toMatchObject(hung)
  })
})

describe('starting', () => {
  const failing = (load: StartOptions['load'], options: Partial<StartOptions> = {}) =>
    startEngine({ factory, load, ...options })

  test('a factory that throws, a thread that dies, sizes that cannot be: rejected with the reason', async () => {
    await expect(failing({ fail: true })).rejects.toMatchObject({ code: 'engine_unavailable', message: 'no such toy' })
    await expect(failing({ exit: true })).rejects.toMatchObject({ code: 'engine_unavailable' })
    await expect(failing({}, { blocksTotal: 1 })).rejects.toMatchObject({ code: 'invalid_config' })
    await expect(failing({}, { factory: new URL('file:///nowhere.ts') })).rejects.toMatchObject({
      code: 'engine_unavailable',
    })
  })

  test('has a deadline and hears an abort', async () => {
    await expect(failing({ hang: true }, { startTimeoutMs: 20 })).rejects.toMatchObject({ code: 'deadline' })
    await expect(failing({ hang: true }, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
      code: 'cancelled',
    })
  })

  test('without a factory a model’s path is wanted', async () => {
    await expect(startEngine({ load: {} })).rejects.toMatchObject({ code: 'invalid_config' })
  })
})
