import { createHash } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { closeToys, drawn, patience, prompt, toyEngine } from '../../../helpers/toy-engine.ts'

afterEach(closeToys)

describe('moving a hold', () => {
  test('importHold() refuses other numerics, wrong digests, wrong sizes, and keeps nothing', async () => {
    const { engine: a } = toyEngine()
    const { hold: info } = await a.prefill({ hold: 'h', tokens: prompt(10), sampling: drawn, choices: 1 }, patience())
    const { bytes, digest } = await a.exportHold('h')
    const give = { ...info, tokenIds: prompt(10) }
    const { engine: b } = toyEngine({}, { blocksTotal: 5 })
    const refused = { code: 'transfer_failed' }
    await expect(toyEngine({ numerics: 'x' }).engine.importHold(give, bytes, digest)).rejects.toMatchObject(refused)
    await expect(toyEngine({}, { modelDigest: 'd2' }).engine.importHold(give, bytes, digest)).rejects.toMatchObject(
      refused,
    )
    await expect(toyEngine({}, { blockTokens: 8 }).engine.importHold(give, bytes, digest)).rejects.toMatchObject(
      refused,
    )
    await expect(b.importHold({ ...give, tokenIds: [1] }, bytes, digest)).rejects.toMatchObject(refused)
    await expect(b.importHold({ ...give, tokens: 9 }, bytes, digest)).rejects.toMatchObject(refused)
    await expect(b.importHold(give, bytes.subarray(4), digest)).rejects.toMatchObject(refused)
    const bent = Uint8Array.from(bytes)
    bent[100]! ^= 1
    await expect(b.importHold(give, bent, digest)).rejects.toMatchObject(refused)
    expect(b.stats()).toMatchObject({ blocksFree: 5, blocksReserved: 0 })
    expect(await b.importHold(give, bytes, digest)).toEqual(b.hold('h'))
    await expect(b.importHold({ ...give, hold: 'again' }, bytes, digest)).rejects.toMatchObject({
      code: 'kv_exhausted',
    })
    b.release('h')
    a.release('h')
    await expect(a.exportHold('h')).rejects.toMatchObject({ code: 'kv_lost' })
  })

  test('where bits depend on the cut, another chunk grid is other numerics', () => {
    const numerics = (batchInvariant: boolean, chunkTokens: number) =>
      toyEngine({ batchInvariant }, { chunkTokens }).engine.info.numerics
    expect(numerics(false, 16)).not.toBe(numerics(false, 32))
    expect(numerics(true, 16)).toBe(numerics(true, 32))
  })

  test('bytes that do not lie on a float’s boundary are taken too', async () => {
    const { engine: a } = toyEngine()
    const { engine: b } = toyEngine()
    const { hold: info } = await a.prefill({ hold: 'h', tokens: prompt(10), sampling: drawn, choices: 1 }, patience())
    const { bytes, digest } = await a.exportHold('h')
    const shifted = new Uint8Array(bytes.length + 1).subarray(1)
    shifted.set(bytes)
    await b.importHold({ ...info, tokenIds: prompt(10) }, shifted, digest)
    expect((await b.exportHold('h')).digest).toBe(digest)
    a.release('h')
    b.release('h')
  })

  test('a hold that is released while its bytes are hashed does not come', async () => {
    const { engine } = toyEngine({ contextLength: 40_000 }, { blocksTotal: 9_000 })
    const blocks = 8_500
    const tokens = blocks * engine.info.blockTokens
    // Large enough to be hashed in slices, between which others have their turn.
    const bytes = new Uint8Array(blocks * engine.info.blockBytes)
    const digest = createHash('sha256').update(bytes).digest('hex')
    const info = { hold: 'h', tokens, blocks, bytes: bytes.length, numerics: engine.info.numerics }
    const give = { ...info, tokenIds: Array.from({ length: tokens }, () => 1) }
    const gone = engine.importHold(give, bytes, digest)
    engine.release('h')
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' })
    expect(engine.stats()).toMatchObject({ holds: 0, blocksReserved: 0 })
    const stays = engine.importHold(give, bytes, digest)
    engine.release('other')
    await stays
    expect(engine.stats().holds).toBe(1)
    engine.release('h')
  })
})
