import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { toVolleyError, VolleyError } from '../../runtime/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'volley-errors-'))
afterAll(() => rmSync(folder, { recursive: true }))

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('a folder that cannot be made is for a person to mend, not a fault of ours', () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  for (const path of [file, join(file, 'below')]) {
    const error = thrownBy(() => mkdirSync(path, { recursive: true }))
    expect(toVolleyError(error)).toMatchObject({ code: 'cannot_write', param: path, remedy: expect.stringContaining('VOLLEY_CACHE') })
    expect(toVolleyError(error, 'engine_failed').code).toBe('engine_failed')
  }
})

test('what is one of ours stays as it is; what is not is internal', () => {
  const own = new VolleyError('deadline', 'late')
  expect(toVolleyError(own)).toBe(own)
  expect([toVolleyError(new TypeError('x')).code, toVolleyError('x').message, toVolleyError(null).code]).toEqual(['internal', 'x', 'internal'])
  expect(toVolleyError(Object.assign(new Error('x'), { code: 'EACCES' })).code).toBe('internal')
})
