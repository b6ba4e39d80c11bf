import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { cacheDir, stateDir } from '../../runtime/platform.ts'

afterEach(() => void vi.unstubAllEnvs())

test('a variable set to nothing is not set: no folder is made where one happens to be', () => {
  for (const name of ['VOLLEY_CACHE', 'VOLLEY_STATE', 'XDG_CACHE_HOME', 'XDG_STATE_HOME', 'LOCALAPPDATA']) vi.stubEnv(name, '')
  expect(cacheDir('models')).toBe(join(homedir(), '.cache', 'volley', 'models'))
  expect(stateDir('run')).toBe(join(homedir(), '.local', 'state', 'volley', 'run'))
})
