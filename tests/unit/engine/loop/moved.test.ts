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
})
