import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../../cli/commands/table.ts'
import { projectRoot, selfCommand } from '../../../runtime/platform.ts'
import { version } from '../../../runtime/version.ts'

const folder = mkdtempSync(join(tmpdir(), 'volley-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function volley(argv: string[], env: Record<string, string> = {}) {
  const { command, args } = selfCommand(join(projectRoot, 'cli', 'main.ts'), argv)
  const clean = {
    ...process.env,
    VOLLEY_STATE: folder,
    VOLLEY_CACHE: folder,
    NATS_URL: '',
    VOLLEY_NATS: '',
    VOLLEY_MODEL: '',
    ...env,
  }
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: clean })
  return { code: status, stdout, stderr }
}

describe('volley', () => {
  test.each([[['--version']], [['version']]])('%j prints the version', (argv) => {
    expect(volley(argv)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test('help lists every command; without a command the same on stderr, exit 2', () => {
    const { stdout } = volley(['help'])
    for (const name of Object.keys(COMMANDS)) expect(stdout).toContain(name)
    expect(volley([])).toEqual({ code: 2, stdout: '', stderr: stdout })
  })

  test('help of a command says its flags, without colours where nobody sees them', () => {
    const { code, stdout } = volley(['serve', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('--port=<N>')
    expect(stdout).not.toContain('\u001b')
    expect(volley(['help', 'serve']).stdout).toBe(stdout)
  })

  test.each([
    [
      'a command with the nearest',
      ['serv'],
      2,
      'Unknown command "serv". To fix: did you mean `volley serve`? [unknown_command]',
    ],
    [
      'a flag with the nearest',
      ['serve', '--prot', '8080'],
      2,
      'Unknown flag --prot of volley serve. To fix: did you mean --port? [unknown_flag]',
    ],
    [
      'a missing model with its path',
      ['run', 'Hello', '--model', '/no/such/model'],
      3,
      'Cannot find model /no/such/model: no such file or directory',
    ],
    [
      'a model that was not pulled',
      ['serve', '--model', 'org/nam'],
      3,
      'To fix: run `volley pull org/nam` [model_file_missing]',
    ],
    ['a system that is not there', ['ps'], 3, 'No running system was found on this machine'],
    ['a NATS that is not there', ['ps', '--nats', 'nats://127.0.0.1:1'], 3, '[bus_unreachable]'],
    ['a role without NATS', ['instance'], 2, 'volley instance needs a nats-server to join'],
    ['a name that is none', ['pull', '../x'], 2, 'Cannot pull "../x"'],
    ['a word that every object knows', ['pull', 'constructor'], 2, 'Cannot pull "constructor"'],
    ['a benchmark that is none', ['bench', 'zzz'], 2, 'Unknown benchmark "zzz"'],
  ])('refuses %s, in one line without a stack', (_, argv, code, text) => {
    const got = volley(argv)
    expect([got.code, got.stdout, got.stderr.trim().split('\n').length]).toEqual([code, '', 1])
    expect(got.stderr).toContain(text)
    expect(got.stderr).not.toMatch(/^ +at /m)
  })

  test('flags before the command are its own', () => {
    expect(volley(['--json', 'chart']).stdout).toBe(volley(['chart', '--json']).stdout)
  })

  test('chart --json is one object a line', () => {
    const lines = volley(['chart', '--json']).stdout.trim().split('\n').map((line) => JSON.parse(line))
    expect(lines).toContainEqual(expect.objectContaining({ mermaid: expect.stringContaining('stateDiagram-v2') }))
  })

  test('serve --print-config shows values and origins, and warns of variables that mean nothing', () => {
    const { code, stdout, stderr } = volley(['serve', '--port', '1', '--print-config', '--json'], {
      VOLLEY_HOTS: 'x',
      VOLLEY_HOST: 'h',
    })
    const rows = stdout.trim().split('\n').map((line) => JSON.parse(line))
    expect(code).toBe(0)
    expect(rows).toContainEqual({ key: 'port', value: 1, origin: 'flag --port' })
    expect(rows).toContainEqual({ key: 'host', value: 'h', origin: 'environment VOLLEY_HOST' })
    expect(stderr).toBe(
      'Warning: Environment variable VOLLEY_HOTS means nothing to Volley; did you mean VOLLEY_HOST?\n',
    )
  })

  test('start runs two labelled instances unless told otherwise, and --once takes a free port', () => {
    const value = (argv: string[], key: string) =>
      volley(['start', '--print-config', '--json', ...argv]).stdout.split('\n').filter(Boolean).map((line) =>
        JSON.parse(line)
      )
        .find((row) => row.key === key).value
    expect([value([], 'labels'), value([], 'instances'), value([], 'port')]).toEqual([
      { prefill: 1, decode: 1 },
      2,
      8080,
    ])
    expect([value(['--once'], 'port'), value(['--instances', '1'], 'labels')]).toEqual([0, {}])
  })

  test('doctor --json is one object a line, each missing thing with what mends it', () => {
    const rows = volley(['doctor', '--json'], { VOLLEY_MODEL: '/no/such' }).stdout.trim().split('\n').map((line) =>
      JSON.parse(line)
    )
    expect(rows.map((row) => row.check)).toEqual(
      expect.arrayContaining(['runtime', 'dependencies', 'nats-server', 'model', 'cache']),
    )
    expect(rows.find((row) => row.check === 'model')).toMatchObject({ status: 'missing', remedy: expect.any(String) })
  })

  test('several systems on this machine: the error lists them and how to say which', () => {
    const systems = [process.pid, process.ppid].map((pid, i) => {
      const runDir = join(folder, 'run', `${pid}-test`)
      const system = { pid, nats: `nats://127.0.0.1:${i + 1}`, http: `http://127.0.0.1:${i + 8000}`, startedMs: i }
      mkdirSync(runDir, { recursive: true })
      writeFileSync(join(runDir, 'serve.json'), JSON.stringify(system))
      return system
    })
    const { code, stderr } = volley(['ps'])
    for (const { pid, nats, http } of systems) expect(stderr).toContain(`${http} (process ${pid}, --nats ${nats})`)
    expect([code, stderr.includes('say which by --nats URL [runtime_ambiguous]')]).toEqual([2, true])
    expect(volley(['run', 'Hello']).stderr).toContain('say which by --url URL [runtime_ambiguous]')
    rmSync(join(folder, 'run'), { recursive: true })
  })
})
