import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { policyNamed } from '../../../actors/policies.ts'
import { resolveConfig } from '../../../runtime/config/mod.ts'
import { policyOf } from '../../../runtime/policy/mod.ts'
import { variantsOf } from '../../../runtime/sim/mod.ts'

const folder = mkdtempSync(join(tmpdir(), 'volley-policies-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const hooks = `onArrival: () => ({ instance: undefined, scores: {}, reason: 'never' }), onFirstToken: () => ({ instance: undefined, scores: {}, reason: 'never' })`

describe('policyNamed()', () => {
  test('hands a name back', async () => {
    expect(await policyNamed('arrow-v2')).toBe('arrow-v2')
  })

  test('loads a file, which is known by its policy\'s name from then on: here and in the simulator', async () => {
    expect(await policyNamed(file('mine.ts', `export default { name: 'mine-alone', initial: {}, ${hooks} }`))).toBe('mine-alone')
    expect(policyOf('mine-alone').name).toBe('mine-alone')
    expect(variantsOf('mine-alone', { instances: 2, loads: 'corrected', batching: 'prefill-first' })).toHaveLength(1)
  })

  test.each([
    ['a file that is not there', () => join(folder, 'nobody.ts'), 'Cannot load the policy'],
    ['a file that does not parse', () => file('broken.ts', 'export default {'), 'Cannot load the policy'],
    ['a file that throws', () => file('throws.ts', `throw new Error('not today')`), 'not today'],
    ['no default export', () => file('none.ts', `export const policy = {}`), 'is no policy'],
    ['a name of Volley\'s own', () => file('taken.ts', `export default { name: 'static', initial: {}, ${hooks} }`), 'Volley has one of that name'],
  ])('%s is policy_invalid', async (_, path, why) => {
    await expect(policyNamed(path())).rejects.toMatchObject({ code: 'policy_invalid', message: expect.stringContaining(why) })
  })

  test('a config file may name one', async () => {
    const path = file('config.json', JSON.stringify({ policy: './my-policy.ts', flips: { dwell: 5 } }))
    expect((await resolveConfig({ file: path })).config).toMatchObject({ policy: './my-policy.ts', flips: { dwell: 5 } })
    await expect(resolveConfig({ flags: new Map([['policy', 'My Policy']]) })).rejects.toMatchObject({ code: 'invalid_flag' })
  })
})
