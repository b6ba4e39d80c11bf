import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packRuns } from '../../../bench/profile-runs.ts'
import { packedText, packProfiles } from '../../../bench/profiles.ts'
import { policyOf } from '../../../runtime/policy/mod.ts'
import { curveMs, kernelMs } from '../../../runtime/sim/kernels.ts'
import {
  compareRun,
  measuredNames,
  measuredRun,
  profileInfos,
  profileNames,
  profileOf,
  Simulation,
} from '../../../runtime/sim/mod.ts'
import { sharedData } from '../../helpers/model-files.ts'

const tables = sharedData('profiles/kernels_rtxpro6000_llama3_1_8b_dense.csv.gz')
describe.skipIf(tables === undefined)('what ships', () => {
  const shipped = (name: string) => readFileSync(new URL(`../../../runtime/sim/${name}`, import.meta.url), 'utf8')

  test('profiles.json is what bench/profiles.ts makes of the tables', () => {
    expect(packedText(packProfiles(dirname(tables!)))).toBe(shipped('profiles.json'))
  })

  test('measured.json is what bench/profile-runs.ts makes of the runs', () => {
    expect(packedText(packRuns(dirname(tables!)))).toBe(shipped('measured.json'))
  })
})

describe('profiles', () => {
  test('each is listed with source and licence; the measured ones fit their tables within 5 %', () => {
    const infos = profileInfos()
    expect(infos.map((info) => info.profile)).toEqual(profileNames)
    for (const { profile, source, licence, fitError } of infos) {
      expect(source.length * licence.length, profile).toBeGreaterThan(0)
      const errors = [...fitError.matchAll(/([\d.]+) %/g)].map(([, share]) => Number(share))
      expect(Math.max(0, ...errors), profile).toBeLessThan(5)
    }
  })

  test('an iteration of a measured one costs more with more in it', () => {
    for (const name of profileNames) {
      const { kernels } = profileOf(name)
      if (!kernels) continue
      const work = { tokens: 512, pairs: 512 ** 2, context: 512, longest: 512, resident: 20_000, sequences: 32 }
      const ms = kernelMs(kernels, work)
      for (const more of [{ pairs: 1e7 }, { resident: 90_000 }, { tokens: 2_000, longest: 2_000 }]) {
        expect(kernelMs(kernels, { ...work, ...more }), `${name} ${Object.keys(more)}`).toBeGreaterThan(ms)
      }
      expect(kernelMs(kernels, { ...work, tokens: 0, pairs: 0, context: 0, longest: 0 })).toBeLessThan(ms)
    }
  })

  test('curveMs() is linear between knots and in proportion beyond the last', () => {
    const curve = [[1, 10], [3, 20], [4, 40]] as const
    expect([0, 1, 2, 3, 3.5, 4, 8].map((x) => curveMs(curve, x))).toEqual([10, 10, 15, 20, 30, 40, 80])
  })
})

test.each(measuredNames)('the simulator is within a tenth of %s', (name) => {
  const { ttftMs, tpotMs } = compareRun(measuredRun(name))
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  console.log(`${name}: mean TTFT ${percent(ttftMs.mean.error)}, mean TPOT ${percent(tpotMs.mean.error)}`)
  for (const { error } of [ttftMs.mean, ttftMs.p90, tpotMs.mean, tpotMs.p90]) expect(Math.abs(error)).toBeLessThan(0.1)
})

test('KV that grows never outgrows its memory, and all of it is given back', () => {
  const profile = { ...profileOf('8b'), kvTokens: 4_000 }
  const simulation = new Simulation({
    policy: policyOf('colocated'),
    profile,
    slo: { ttftMs: 1, tpotMs: 1 },
    labels: [undefined],
    batching: { batchTokens: 512 },
    kv: 'growing',
    tailMs: Infinity,
  })
  const [instance] = simulation.instances
  for (let at = 0; at < 200; at++) {
    simulation.offer(at * 50, 100 + (at * 37) % 300, 2 + (at * 53) % 400)
    expect(instance!.kvUsed).toBeLessThanOrEqual(profile.kvTokens)
  }
  const { finished, preempted } = simulation.finish()
  expect(finished).toBe(200)
  expect(preempted).toBeGreaterThan(20)
  const { kvUsed, decodes, decodeTokens, prefillTokens, runningTokens, seated } = instance!
  expect({ kvUsed, decodes, decodeTokens, prefillTokens, runningTokens, seated }).toEqual({
    kvUsed: 0,
    decodes: 0,
    decodeTokens: 0,
    prefillTokens: 0,
    runningTokens: 0,
    seated: 0,
  })
})

test('where prefill and decode alternate, a prompt waits for one step of decodes and no more, and one prompt at a time', () => {
  const profile = { ...profileOf('8b'), baseMs: 10, perTokenMs: 1, perPairMs: 0, perResidentMs: 0, perSequenceMs: 0 }
  const times: number[] = []
  const simulation = new Simulation({
    policy: policyOf('colocated'),
    profile,
    slo: { ttftMs: 1, tpotMs: 1 },
    labels: [undefined],
    batching: { alternatingTokens: 100 },
    onDone: ({ id, firstMs }, nowMs) => void (times[id] = nowMs, id > 0 && (times[id + 2] = firstMs)),
  })
  // 0: prefill to 20, then ten steps of 10 ms, with two prompts of 110 ms each put between.
  simulation.offer(0, 10, 11)
  simulation.offer(25, 100, 1)
  simulation.offer(25, 100, 1)
  simulation.finish()
  expect(times).toEqual([340, 140, 260, 140, 260])
})
