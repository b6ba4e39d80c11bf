import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fitPrefill, machineProfile } from '../../../actors/instance/profile.ts'
import { temporaryDirectory } from '../../helpers/model-files.ts'

test('fitPrefill() finds the law that made the times', () => {
  const law = (n: number) => ({ n, ms: 3 + 0.5 * n + 0.002 * n * n })
  const { base, perToken, perPair } = fitPrefill([law(16), law(64), law(256)])
  expect([base, perToken, perPair].map((v) => Number(v.toFixed(6)))).toEqual([3, 0.5, 0.002])
})

test('fitPrefill() makes nothing negative of times that fall', () => {
  const fit = fitPrefill([{ n: 16, ms: 9 }, { n: 64, ms: 5 }, { n: 256, ms: 30 }])
  expect(Math.min(fit.base, fit.perToken, fit.perPair)).toBeGreaterThanOrEqual(0)
  expect(fitPrefill([{ n: 16, ms: 8 }])).toEqual({ base: 0, perToken: 0.5, perPair: 0 })
})

describe('machineProfile()', () => {
  const law = { name: 'x', baseMs: 1, perTokenMs: 1, perPairMs: 0, perResidentMs: 0, perSequenceMs: 1, kvTokens: 10, kvBytesPerToken: 1 }
  const keep = (kept: Record<string, object>) => {
    const folder = temporaryDirectory()
    vi.stubEnv('VOLLEY_CACHE', folder)
    mkdirSync(join(folder, 'profiles'))
    for (const [name, value] of Object.entries(kept)) writeFileSync(join(folder, 'profiles', `${name}.json`), JSON.stringify(value))
  }
  afterEach(() => void vi.unstubAllEnvs())

  test('is that of the model asked for, never one at the pace of another machine', async () => {
    keep({
      a: { model: 'tiny', paced: false, profile: law }, b: { model: 'large', paced: false, profile: { ...law, baseMs: 9 } },
      c: { model: 'tiny', paced: true, profile: { ...law, baseMs: 99 } }, old: law,
    })
    expect(await machineProfile('large')).toEqual({ ...law, baseMs: 9, name: 'machine:large' })
    expect(await machineProfile('tiny')).toEqual({ ...law, name: 'machine:tiny' })
    await expect(machineProfile('other')).rejects.toThrow(/model "other" was not measured on this machine yet: there is (?:tiny, large|large, tiny)/)
  })

  test('says how to measure where nothing was', async () => {
    keep({})
    await expect(machineProfile()).rejects.toMatchObject({ code: 'invalid_flag', remedy: expect.stringContaining('volley serve') })
  })
})
