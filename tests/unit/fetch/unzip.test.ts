import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { unzipMember } from '../../../runtime/fetch/unzip.ts'
import { zip } from '../../helpers/zip.ts'

const folder = mkdtempSync(join(tmpdir(), 'volley-zip-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const data = Buffer.concat([randomBytes(70_000), Buffer.alloc(200_000, 'volley')])

test.each([['deflated', false], ['stored', true]])('unzipMember() takes one %s member', async (_, stored) => {
  const archive = join(folder, 'a.zip')
  writeFileSync(
    archive,
    zip({ 'x/README': Buffer.from('no'), 'x/scripts/tool': data, 'y/tool': Buffer.from('later') }, stored),
  )
  const out = join(folder, 'out')
  expect(await unzipMember(archive, (name) => name.endsWith('/tool'), out)).toBe('x/scripts/tool')
  expect(readFileSync(out).equals(data)).toBe(true)
})

test('unzipMember() refuses what is no archive, and one without the member', async () => {
  const archive = join(folder, 'b.zip')
  writeFileSync(archive, 'no archive at all, though long enough for its end record')
  await expect(unzipMember(archive, () => true, join(folder, 'o'))).rejects.toMatchObject({ code: 'download_failed' })
  writeFileSync(archive, zip({ a: data }))
  await expect(unzipMember(archive, (name) => name === 'b', join(folder, 'o'))).rejects.toMatchObject({
    code: 'download_failed',
  })
})
