import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { machineProfile, profileOf } from '../../../actors/instance/profile.ts'
import type { Forward } from '../../../runtime/engine/forward.ts'
import { type CoreOptions, EngineCore } from '../../../runtime/engine/loop/core.ts'
import { stepMs } from '../../../runtime/engine/paced.ts'
import { temporaryDirectory } from '../../helpers/model-files.ts'
import { patience } from '../../helpers/toy-engine.ts'
import { toyForward } from '../../helpers/toy-forward.ts'

const law = { baseMs: 3, perTokenMs: 0.5, perPairMs: 0.002, perResidentMs: 0.01, perSequenceMs: 2 }

describe('profileOf()', () => {
  let nowMs = 0
  let steps = 0
  const engines: EngineCore[] = []
  /** An engine on a clock of its own, whose steps take what the law says. */
  const lawful = (sizes: Partial<CoreOptions> = {}): EngineCore => {
    const toy = toyForward({ contextLength: 512 })
    const forward: Forward = {
      ...toy,
      run(chunks, pool) {
        nowMs += stepMs(law, chunks)
        steps++
        return toy.run(chunks, pool)
      },
    }
    const engine = new EngineCore(forward, { model: 'toy', modelDigest: 'd', ...sizes })
    engines.push(engine)
    return engine
  }
  const measured = (sizes?: Partial<CoreOptions>) => profileOf(lawful(sizes), { signal: patience() })
  beforeEach(() => {
    steps = 0
    vi.stubEnv('VOLLEY_CACHE', temporaryDirectory())
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    for (const engine of engines.splice(0)) await engine.close()
  })

  test.each<[string, Partial<CoreOptions>]>([
    ['as it comes', {}],
    ['one sequence at a time', { maxBatch: 1 }],
    ['a context of 16 tokens', { contextLength: 16 }],
    ['memory for three blocks', { blocksTotal: 3 }],
  ])('finds the law that its steps keep to: %s', async (_, sizes) => {
    const profile = await measured(sizes)
    for (const [key, ms] of Object.entries(law)) expect(profile[key as keyof typeof law], key).toBeCloseTo(ms, 6)
  })

  test('a context that is too short to tell lengths apart is not measured', async () => {
    expect(await measured({ contextLength: 8 })).toMatchObject({ name: 'unmeasured', perTokenMs: 1 })
    expect(steps).toBe(0)
  })

  test('what was measured is kept: nothing is measured again', async () => {
    const profile = await measured()
    const before = steps
    expect(await measured()).toEqual(profile)
    expect(steps).toBe(before)
    await measured({ contextLength: 256 })
    expect(steps).toBeGreaterThan(before)
  })

  test('of several that start at once, one measures', async () => {
    const before = steps
    const [first] = await Promise.all([measured(), measured(), measured()])
    const once = steps - before
    vi.stubEnv('VOLLEY_CACHE', temporaryDirectory())
    expect(await measured()).toEqual(first)
    expect(steps - before).toBe(2 * once)
    expect(readdirSync(join(process.env['VOLLEY_CACHE']!, 'profiles'))).toEqual([expect.stringMatching(/^[0-9a-f]+\.json$/)])
  })

  test('one that was killed while it measured is not waited for; one that lives is, until the signal fires', async () => {
    const folder = join(process.env['VOLLEY_CACHE']!, 'profiles')
    await measured()
    const [name] = readdirSync(folder)
    const lock = join(folder, `${name}.lock`)
    rmSync(join(folder, name!))
    symlinkSync(String(spawnSync(process.execPath, ['--version']).pid), lock)
    const profile = await measured()
    rmSync(join(folder, name!))
    symlinkSync(String(process.pid), lock)
    await expect(profileOf(lawful(), { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({ name: 'TimeoutError' })
    rmSync(lock)
    expect(await measured()).toEqual(profile)
  })

  test('a cache that cannot be written is no error', async () => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    vi.stubEnv('VOLLEY_CACHE', file)
    expect(await measured()).toMatchObject({ kvTokens: expect.any(Number) })
  })

  test('leaves nothing behind in the engine', async () => {
    const engine = lawful()
    await profileOf(engine, { signal: patience() })
    expect(engine.stats()).toMatchObject({ holds: 0, blocksReserved: 0, blocksFree: engine.info.blocksTotal })
  })
})

describe('machineProfile()', () => {
  const profile = { name: 'x', ...law, kvTokens: 10, kvBytesPerToken: 1 }
  const keep = (kept: Record<string, object>) => {
    const folder = temporaryDirectory()
    vi.stubEnv('VOLLEY_CACHE', folder)
    mkdirSync(join(folder, 'profiles'))
    for (const [name, value] of Object.entries(kept)) writeFileSync(join(folder, 'profiles', `${name}.json`), JSON.stringify(value))
  }
  afterEach(() => void vi.unstubAllEnvs())

  test('is that of the model asked for, never one at the pace of another machine', async () => {
    keep({
      a: { model: 'tiny', paced: false, profile }, b: { model: 'large', paced: false, profile: { ...profile, baseMs: 9 } },
      c: { model: 'tiny', paced: true, profile: { ...profile, baseMs: 99 } }, old: profile,
    })
    expect(await machineProfile('large')).toEqual({ ...profile, baseMs: 9, name: 'machine:large' })
    expect(await machineProfile('tiny')).toEqual({ ...profile, name: 'machine:tiny' })
    await expect(machineProfile('other')).rejects.toThrow(/model "other" was not measured on this machine yet: there is (?:tiny, large|large, tiny)/)
  })

  test('says how to measure where nothing was', async () => {
    keep({})
    await expect(machineProfile()).rejects.toMatchObject({ code: 'invalid_flag', remedy: expect.stringContaining('volley serve') })
  })
})
