import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { projectRoot, selfCommand } from '../../../runtime/platform.ts'
import { type TestServer, testServer } from '../../helpers/download-server.ts'
import { lacks } from '../../helpers/lacks.ts'
import { eventually, groupOf, type Program, startProgram } from '../../helpers/processes.ts'

let folder = ''
let hub: TestServer
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'volley-stop-'))
  mkdirSync(join(folder, 'tmp'))
  hub = await testServer(() => {})
})
afterEach(async () => {
  await hub.close()
  rmSync(folder, { recursive: true, force: true })
})

function pull(name: string): Program {
  const { command, args } = selfCommand(join(projectRoot, 'cli', 'main.ts'), ['pull', name])
  const PATH = [folder, process.env['PATH']].join(delimiter)
  return startProgram(command, args, { VOLLEY_CACHE: join(folder, 'cache'), TMPDIR: join(folder, 'tmp'), HF_ENDPOINT: hub.url, PATH })
}

const elsewhere = process.platform !== 'linux' || 'Deno' in globalThis
describe.skipIf(lacks(elsewhere, 'signals to commands are tested on Linux and Node'))('a command that is told to stop', () => {
  const stopped = 'Stopped by a signal before it was done. [cancelled]\n'

  test('says so, in one line and with its code', async () => {
    const program = pull('org/silent')
    await eventually('the hub is asked', () => hub.requests.length > 0, 25_000)
    program.child.kill('SIGINT')
    expect([await program.ended, program.stderr()]).toEqual([1, stopped])
  })

  test('stops the tools it runs, and asks no other', async () => {
    for (const name of ['python3', 'python', 'py']) {
      writeFileSync(join(folder, name), `#!/bin/sh\necho > ${folder}/asked-${name}\nexec sleep 30\n`)
      chmodSync(join(folder, name), 0o755)
    }
    const program = pull('smollm2-135m')
    await eventually('pip is asked', () => existsSync(join(folder, 'asked-python3')), 25_000)
    program.child.kill('SIGINT')
    expect([await program.ended, program.stderr()]).toEqual([1, stopped])
    await eventually('pip is gone', () => groupOf(program.child.pid!).length === 0)
    expect(readdirSync(join(folder, 'tmp'))).toEqual([])
    expect(readdirSync(folder).filter((name) => name.startsWith('asked'))).toEqual(['asked-python3'])
  })
})
