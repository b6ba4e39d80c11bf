import { lacks } from '../../helpers/lacks.ts'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { projectRoot } from '../../../runtime/platform.ts'
import { eventually, groupOf, type Program, startProgram } from '../../helpers/processes.ts'

let folder = ''
let project = ''
const programs: Program[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volley-boot-'))
  project = join(folder, 'project')
  cpSync(join(projectRoot, 'bootstrap'), join(project, 'bootstrap'), { recursive: true })
  cpSync(join(projectRoot, 'runtime', 'platform.ts'), join(project, 'runtime', 'platform.ts'))
  put('package.json', '{"type":"module","scripts":{"volley":"node bootstrap/run.mjs volley"}}')
  put('package-lock.json', lock('1.0.0'))
  // A target that says how it was started, and may stay.
  put(
    'cli/main.ts',
    `
    import { endWithParent } from '../runtime/platform.ts'
    endWithParent()
    const argv: string[] = process.argv.slice(2)
    for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { console.log(signal); process.exit(7) })
    console.log(JSON.stringify({ argv, cwd: process.cwd(), pid: process.pid }))
    if (argv.includes('stay')) setInterval(() => {}, 1000)
    else process.exitCode = Number(argv[0] ?? 0)
  `,
  )
})
afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    for (const { pid } of process.platform === 'linux' ? groupOf(child.pid!) : []) process.kill(pid, 'SIGKILL')
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
})

function put(path: string, text: string): void {
  mkdirSync(join(project, path, '..'), { recursive: true })
  writeFileSync(join(project, path), text)
}
const lock = (version: string) =>
  JSON.stringify({
    packages: { '': {}, 'node_modules/a': { version }, 'node_modules/b': { version: '9.9.9', optional: true } },
  })
const installed = (version: string) =>
  put('node_modules/.package-lock.json', JSON.stringify({ packages: { 'node_modules/a': { version } } }))

/** An npm that notes how it was called, and installs what the lock file says, or fails. */
const fakeNpm = (failure?: string): string =>
  npmThat(failure
    ? `echo 'npm error ${failure}' >&2; exit 1`
    : `sleep 0.3; mkdir -p node_modules; cp package-lock.json node_modules/.package-lock.json`)

function npmThat(does: string): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho "$@" >> ${folder}/calls\n${does}\n`)
  chmodSync(join(bin, 'npm'), 0o755)
  return `${bin}:${process.env['PATH']}`
}
const npmCalls =
  () => (existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : [])

function bootstrap(args: string[], env: Record<string, string | undefined> = {}): Program {
  const clean = { npm_execpath: undefined, npm_lifecycle_event: undefined, VOLLEY_CACHE: join(folder, 'cache') }
  const program = startProgram(process.execPath, [join(project, 'bootstrap', 'run.mjs'), ...args], { ...clean, ...env })
  programs.push(program)
  return program
}

describe.skipIf(lacks(process.platform === 'win32' || 'Deno' in globalThis, 'the bootstrap is tested on Node, not on Windows'))('bootstrap', () => {
  test('is quiet when everything is there, and hands on arguments and the exit code', async () => {
    installed('1.0.0')
    const program = bootstrap(['volley', '5', '--x'], { PATH: fakeNpm() })
    expect(await program.ended).toBe(5)
    expect(JSON.parse(program.stdout())).toMatchObject({ argv: ['5', '--x'] })
    expect([program.stderr(), npmCalls()]).toEqual(['', []])
  })

  test('installs once when dependencies are missing, and again when the lock file changes', async () => {
    const PATH = fakeNpm()
    const first = bootstrap(['volley'], { PATH })
    expect(await first.ended).toBe(0)
    expect(first.stderr()).toMatch(/^volley: installing dependencies \(npm ci\): done in [\d.]+ s\n$/)
    await bootstrap(['volley'], { PATH }).ended
    expect(npmCalls()).toHaveLength(1)
    put('package-lock.json', lock('2.0.0'))
    await bootstrap(['volley'], { PATH }).ended
    expect(npmCalls()).toHaveLength(2)
    expect(npmCalls()[0]).toMatch(/^ci /)
  })

  test('two at once install once', async () => {
    const PATH = fakeNpm()
    const both = [bootstrap(['volley'], { PATH }), bootstrap(['volley'], { PATH })]
    expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([0, 0])
    expect(npmCalls()).toHaveLength(1)
  })

  test('a lock whose owner is gone is taken over', async () => {
    const PATH = fakeNpm()
    await bootstrap(['volley'], { PATH }).ended
    put('package-lock.json', lock('2.0.0'))
    const { createHash } = await import('node:crypto')
    const name = `install-${createHash('sha256').update(`${project}/`).digest('hex').slice(0, 16)}`
    mkdirSync(join(folder, 'cache', 'locks', name), { recursive: true })
    writeFileSync(join(folder, 'cache', 'locks', name, 'pid'), '999999999')
    expect(await bootstrap(['volley'], { PATH }).ended).toBe(0)
    expect(npmCalls()).toHaveLength(2)
  })

  test('an install that fails is one error with what npm said and the command that helps', async () => {
    const program = bootstrap(['volley'], { PATH: fakeNpm('network request to a registry failed') })
    expect(await program.ended).toBe(3)
    expect(program.stderr().trim().split('\n')).toHaveLength(1)
    for (const part of ['npm ci', 'network request to a registry failed', 'To fix:', '[dependencies_missing]']) {
      expect(program.stderr()).toContain(part)
    }
  })

  test('a cache that cannot be a folder is one error', async () => {
    put('cache', '')
    const program = bootstrap(['volley'], { PATH: fakeNpm(), VOLLEY_CACHE: join(project, 'cache') })
    expect(await program.ended).toBe(3)
    expect(program.stderr()).toMatch(/^Cannot write .*cache.* To fix: set VOLLEY_CACHE .* \[cannot_write\]\n$/)
    expect(npmCalls()).toEqual([])
  })

  test.skipIf(process.platform !== 'linux').each(['npm', 'the bootstrap'])('%s is stopped while it installs: nothing is left', async (who) => {
    // The shell that npm starts, and that ends with npm.
    const script = `"${process.execPath}" "${join(project, 'bootstrap', 'run.mjs')}" volley stay; true`
    const env = { npm_execpath: undefined, npm_lifecycle_event: 'volley', INIT_CWD: undefined, VOLLEY_CACHE: join(folder, 'cache') }
    const program = startProgram('sh', ['-c', script], { ...env, PATH: npmThat('exec sleep 30') })
    programs.push(program)
    await eventually('npm installs', () => npmCalls().length > 0)
    const bootstrap = groupOf(program.child.pid!).find(({ words }) => words.includes('stay'))!
    process.kill(who === 'npm' ? program.child.pid! : bootstrap.pid, 'SIGTERM')
    await eventually('the group is gone', () => groupOf(program.child.pid!).length === 0)
  })

  test('does not know other words', async () => {
    const program = bootstrap(['strat'])
    expect(await program.ended).toBe(2)
    expect(program.stderr()).toContain('[unknown_command]')
  })

  test('runs in the folder where npm was called', async () => {
    installed('1.0.0')
    const program = bootstrap(['volley'], { npm_lifecycle_event: 'volley', INIT_CWD: folder })
    await program.ended
    expect(JSON.parse(program.stdout()).cwd).toBe(folder)
  })
})

describe.skipIf(lacks(process.platform !== 'linux' || 'Deno' in globalThis, 'another Node is fetched on Linux only'))('bootstrap with another Node', () => {
  // What a Node 20 does, done by this one: a copy of the bootstrap that thinks it is too old.
  beforeEach(() => {
    installed('1.0.0')
    const node = readFileSync(join(project, 'bootstrap', 'node.mjs'), 'utf8').replace(
      'process.versions.node.split',
      "'20.0.0'.split",
    )
    put('bootstrap/node.mjs', node)
  })
  function cachedNode(): void {
    const [, name, version] =
      /'linux-x64': \['([^']+)', '([^']+)'\]/.exec(readFileSync(join(project, 'bootstrap', 'node.mjs'), 'utf8')) ?? []
    const bin = join(folder, 'cache', `node-${version}`, 'node_modules', name!.replace('x64', process.arch), 'bin')
    mkdirSync(bin, { recursive: true })
    symlinkSync(process.execPath, join(bin, 'node'))
  }

  test('hands on the exit code of the Node in the cache', async () => {
    cachedNode()
    const program = bootstrap(['volley', '6'])
    expect([await program.ended, program.stderr()]).toEqual([6, ''])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('passes %s on', async (signal) => {
    cachedNode()
    const program = bootstrap(['volley', 'stay'])
    await program.line(/"pid"/)
    program.child.kill(signal)
    expect(await program.ended).toBe(7)
    expect(program.stdout()).toContain(signal)
  })

  test('SIGKILL of the bootstrap leaves nothing', async () => {
    cachedNode()
    const program = bootstrap(['volley', 'stay'])
    await program.line(/"pid"/)
    program.child.kill('SIGKILL')
    await eventually('the group is gone', () => groupOf(program.child.pid!).length === 0)
  })

  test.each(['SIGTERM', 'SIGKILL'] as const)('%s of npm above it leaves nothing', async (signal) => {
    cachedNode()
    const npm = { npm_config_prefix: undefined, npm_config_local_prefix: undefined, INIT_CWD: undefined }
    const env = { ...npm, VOLLEY_CACHE: join(folder, 'cache') }
    const program = startProgram('npm', ['run', '-s', 'volley', '--', 'stay'], env, project)
    programs.push(program)
    await program.line(/"pid"/)
    program.child.kill(signal)
    await eventually('the group is gone', () => groupOf(program.child.pid!).length === 0)
  })

  test('without network: one error with what was tried and what helps', async () => {
    const program = bootstrap(['volley'], { PATH: fakeNpm('getaddrinfo ENOTFOUND somewhere') })
    expect(await program.ended).toBe(3)
    expect(program.stderr()).toMatch(
      /^Node v[\d.]+ is too old, and another could not be fetched: `npm install node-linux-/,
    )
    for (const part of ['ENOTFOUND somewhere', 'To fix: install Node 24', '[node_missing]']) {
      expect(program.stderr()).toContain(part)
    }
    expect(existsSync(join(folder, 'cache', 'locks')) && npmCalls()).toHaveLength(1)
  })
})
