import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { download } from '../../../runtime/fetch/download.ts'
import { sendFile, type TestServer, testServer } from '../../helpers/download-server.ts'

const content = randomBytes(300_000)
const sha256 = createHash('sha256').update(content).digest('hex')
const quick = { attempts: 3, pauseMs: 1 }
let folder = ''
let target = ''
let server: TestServer | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volley-dl-'))
  target = join(folder, 'deep', 'model.bin')
})
afterEach(async () => {
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
})
const left = () => existsSync(`${target}.partial`)

describe('download()', () => {
  test('puts the whole file in its place and tells how far it is', async () => {
    server = await testServer((request, response) => sendFile(request, response, content))
    const seen: [number, number | undefined][] = []
    await download(`${server.url}/f`, { ...quick, target, sha256, onBytes: (at, total) => seen.push([at, total]) })
    expect(readFileSync(target).equals(content)).toBe(true)
    expect([seen.at(-1), left()]).toEqual([[300_000, 300_000], false])
  })

  test('goes on after every broken connection, however many, while bytes come', async () => {
    server = await testServer((request, response) => sendFile(request, response, content, 60_000))
    await download(`${server.url}/f`, { ...quick, target, sha256 })
    expect(readFileSync(target).equals(content)).toBe(true)
    expect(server.requests.slice(0, 3)).toEqual(['GET /f', 'GET /f bytes=60000-', 'GET /f bytes=120000-'])
  })

  test('goes on with what an earlier run left', async () => {
    server = await testServer((request, response) => sendFile(request, response, content))
    await download(`${server.url}/a`, { ...quick, target: `${target}.other` })
    writeFileSync(`${target}.partial`, content.subarray(0, 100_000))
    await download(`${server.url}/f`, { ...quick, target, sha256 })
    expect(server.requests.at(-1)).toBe('GET /f bytes=100000-')
    expect(readFileSync(target).equals(content)).toBe(true)
  })

  test('starts again when what was left is of another version', async () => {
    server = await testServer((request, response) => sendFile(request, response, content))
    await download(`${server.url}/a`, { ...quick, target: `${target}.other` })
    writeFileSync(`${target}.partial`, randomBytes(100_000))
    await download(`${server.url}/f`, { ...quick, target, sha256 })
    expect(server.requests.slice(1)).toEqual(['GET /f bytes=100000-', 'GET /f'])
    expect(readFileSync(target).equals(content)).toBe(true)
  })

  test('takes a server without ranges as it is', async () => {
    server = await testServer((_, response) => response.end(content))
    await download(`${server.url}/a`, { ...quick, target: `${target}.other` })
    writeFileSync(`${target}.partial`, content.subarray(0, 1000))
    await download(`${server.url}/f`, { ...quick, target, sha256 })
    expect(readFileSync(target).equals(content)).toBe(true)
  })

  test('a wrong checksum is an error and leaves nothing', async () => {
    server = await testServer((request, response) => sendFile(request, response, content))
    await expect(download(`${server.url}/f`, { ...quick, target, sha256: 'f'.repeat(64) }))
      .rejects.toMatchObject({ code: 'checksum_mismatch' })
    expect([existsSync(target), left()]).toEqual([false, false])
  })

  test.each([[404, /HTTP 404/], [403, /HTTP 403/], [401, /HTTP 401/]])(
    '%d is told at once',
    async (status, message) => {
      server = await testServer((_, response) => response.writeHead(status).end('<html>no</html>'))
      const failure = download(`${server.url}/f`, { ...quick, target })
      await expect(failure).rejects.toMatchObject({ code: 'download_failed', message: expect.stringMatching(message) })
      expect([server.requests.length, existsSync(target)]).toEqual([1, false])
    },
  )

  test('503 is tried again', async () => {
    let tries = 0
    server = await testServer((request, response) =>
      ++tries < 3 ? response.writeHead(503).end() : sendFile(request, response, content)
    )
    await download(`${server.url}/f`, { ...quick, target, sha256 })
    expect(tries).toBe(3)
  })

  test('gives up after attempts without a byte', async () => {
    server = await testServer((_, response) => response.destroy())
    await expect(download(`${server.url}/f`, { ...quick, target })).rejects.toMatchObject({ code: 'download_failed' })
    expect(server.requests).toHaveLength(3)
  })

  test('a silent connection is a broken one', async () => {
    let tries = 0
    server = await testServer((request, response) =>
      void (++tries === 1 ? response.writeHead(200) : sendFile(request, response, content))
    )
    await download(`${server.url}/f`, { ...quick, target, sha256, stallMs: 200 })
    expect(tries).toBe(2)
  })

  test('aborting stops it, and what has come stays for the next time', async () => {
    server = await testServer((_, response) => {
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 50_000))
    })
    const stop = new AbortController()
    const running = download(`${server.url}/f`, { ...quick, target, signal: stop.signal, onBytes: () => stop.abort() })
    await expect(running).rejects.toThrow(/abort/i)
    expect(left()).toBe(true)
  })
})
