/**
 * A real nats-server for tests: own port, own store, killed and started again at will, gone at the end.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface NatsServer {
  /** `nats://127.0.0.1:PORT`, the same over restarts. */
  readonly url: string
  readonly port: number
  /** For `nats --user sys --password sys server …`. */
  readonly system: { user: string; password: string }
  /** SIGKILL, as a crash would. Resolves when the process is gone. */
  kill(): Promise<void>
  /** Starts again on the same port and store. */
  start(): Promise<void>
  /** Kills it and removes its store. */
  close(): Promise<void>
}

const EXTRA_FOLDERS = ['/usr/sbin', '/usr/local/bin', join(homedir(), 'go/bin')]

/** Path of a program that may be absent: `NATS_SERVER`-like variable first, then the search path, then usual places. */
export function findProgram(name: string, variable: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...EXTRA_FOLDERS, ...caches()]
  const candidates = [process.env[variable] ?? '', ...folders.map((folder) => join(folder, name))]
  return candidates.find((path) => path !== '' && existsSync(path) && isCurrent(name, path))
}

const caches = (): string[] => ['volley/bin', 'volley-dev'].map((name) => join(homedir(), '.cache', name))

/** Distributions still carry servers below the floor: those are passed over. */
function isCurrent(name: string, path: string): boolean {
  if (name !== 'nats-server') return true
  const [, major = '0', minor = '0'] =
    /v(\d+)\.(\d+)/.exec(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout ?? '') ?? []
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 12)
}

/** Path of a nats-server at or above the floor, or undefined. */
export const natsServerPath: string | undefined = findProgram('nats-server', 'NATS_SERVER')

if (!natsServerPath) console.log('no nats-server at or above 2.12 found: what needs one is skipped. Set NATS_SERVER to one.')

/** Starts a server; `config` is added to its configuration file. */
export async function startNatsServer({ config = '', jetstream = true } = {}): Promise<NatsServer> {
  if (!natsServerPath) throw new Error('no nats-server at or above 2.12 found: set NATS_SERVER to one')
  const folder = mkdtempSync(join(tmpdir(), 'volley-nats-'))
  const port = await freePort()
  const file = join(folder, 'server.conf')
  const system = { user: 'sys', password: 'sys' }
  writeFileSync(file, configuration({ port, store: jetstream ? join(folder, 'store') : undefined, extra: config }))
  let child: ChildProcess | undefined
  const onExit = (): void => {
    child?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', onExit)

  async function kill(): Promise<void> {
    const dying = child
    child = undefined
    if (!dying || dying.exitCode !== null || dying.signalCode !== null) return
    const gone = new Promise((resolve) => dying.once('exit', resolve))
    dying.kill('SIGKILL')
    await gone
  }
  async function start(): Promise<void> {
    child = spawn(natsServerPath!, ['-c', file], { stdio: 'ignore' })
    await listening(port)
  }
  await start()
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    system,
    kill,
    start,
    async close() {
      await kill()
      process.off('exit', onExit)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function configuration({ port, store, extra }: { port: number; store: string | undefined; extra: string }): string {
  const jetstream = store === undefined ? '' : `jetstream { store_dir: ${JSON.stringify(store)}, sync_interval: "1s" }`
  return `
listen: "127.0.0.1:${port}"
${jetstream}
write_timeout: retry
write_deadline: "2s"
ping_interval: "5s"
ping_max: 2
accounts {
  APP { ${store === undefined ? '' : 'jetstream: enabled,'} users: [ { user: app, password: app } ] }
  SYS { users: [ { user: sys, password: sys } ] }
}
system_account: SYS
no_auth_user: app
${extra}
`
}

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Resolves when the server greets; rejects after ten seconds. */
async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' })
      const end = (value: boolean): void => {
        socket.destroy()
        resolve(value)
      }
      socket.once('data', () => end(true))
      socket.once('error', () => end(false))
    })
    if (up) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`nats-server does not listen on port ${port}`)
}
