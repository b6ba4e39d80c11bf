/**
 * A nats-server of this process's own: started through its guardian, on one port for its whole life, gone when this
 * process is. Whoever uses it sees a short outage when it dies, never another address.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import process from 'node:process'
import { realClock, sleep } from '../../../runtime/clock.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import { newSecret } from '../../../runtime/ids.ts'
import { isAlive, PARENT_FD, selfCommand } from '../../../runtime/platform.ts'
import { freePort } from '../ports.ts'
import { renderConf, runFiles } from './conf.ts'

const START_MS = 10_000

/** A running server. */
export interface NatsServer {
  url: string
  /** URL of the user that sees the server itself: for `nats top`, `nats server report …`. */
  systemUrl: string
  /** Ends it; its store is gone with it. */
  stop(): Promise<void>
}

/** Errors: `nats_server_missing` when it does not come up. */
export async function startNatsServer(binary: string, runDir: string, signal?: AbortSignal): Promise<NatsServer> {
  await mkdir(runDir, { recursive: true, mode: 0o700 })
  const port = await freePort('127.0.0.1')
  const systemPassword = newSecret()
  await writeFile(runFiles(runDir).conf, renderConf({ port, runDir, systemPassword }), { mode: 0o600 })
  const guardian = guard(binary, runDir)
  await guardian.ready(port, signal)
  return {
    url: `nats://127.0.0.1:${port}`,
    systemUrl: `nats://system:${systemPassword}@127.0.0.1:${port}`,
    stop: guardian.stop,
  }
}

function guard(binary: string, runDir: string) {
  let stopping = false
  let lastWords = ''
  let current: ChildProcess
  const begin = () => {
    const { command, args } = selfCommand(new URL('./guardian.ts', import.meta.url), [binary, runDir])
    const env = { ...process.env, [PARENT_FD]: '0' }
    current = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'], env })
    current.stderr!.on('data', (chunk: Buffer) => {
      lastWords = chunk.toString().trim() || lastWords
    })
    current.stdin!.on('error', () => {})
    current.once('exit', (code) => {
      // Code 1: the server itself does not start. Anything else: the guardian was killed and its server is an orphan.
      if (stopping || code === 1) return
      void killOrphan(runDir).then(begin)
    })
  }
  begin()
  return {
    async ready(port: number, signal?: AbortSignal) {
      for (
        const end = realClock.monotonic() + START_MS;
        realClock.monotonic() < end;
        await sleep(realClock, 10, signal)
      ) {
        if (await greets(port)) return
        if (current.exitCode !== null) break
      }
      throw new VolleyError(
        'nats_server_missing',
        `nats-server ${binary} did not start: ${lastWords || 'no greeting'}`,
        {
          remedy: 'set VOLLEY_NATS_SERVER to another one, or give the URL of one that runs: --nats nats://HOST:4222',
        },
      )
    },
    async stop() {
      stopping = true
      if (current.exitCode !== null || current.signalCode !== null) return
      const ended = once(current, 'exit')
      current.stdin!.end()
      await Promise.race([ended, sleep(realClock, 3000)])
    },
  }
}

async function killOrphan(runDir: string): Promise<void> {
  const pid = Number(await readFile(runFiles(runDir).pid, 'utf8').catch(() => ''))
  if (pid > 1 && isAlive(pid)) process.kill(pid, 'SIGKILL')
}

/** Whether a server with JetStream greets there. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let greeting = ''
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => done(false))
    socket.on('error', () => done(false)).on('close', () => done(false))
    socket.on('data', (chunk: Buffer) => {
      greeting += chunk.toString()
      if (greeting.includes('\r\n')) done(greeting.startsWith('INFO') && greeting.includes('"jetstream":true'))
    })
  })
}
