/**
 * The whole system on one machine: a nats-server, a gateway, a scheduler, instances. Starts them, keeps them alive,
 * stops them in an order that lets running requests finish. Knows processes and ports, nothing of requests.
 * @module
 */
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import process from 'node:process'
import { type Clock, realClock } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config/mod.ts'
import type { VolleyError } from '../../runtime/errors.ts'
import type { Progress } from '../../runtime/fetch/progress.ts'
import { newId } from '../../runtime/ids.ts'
import { locateModel } from '../../runtime/models/locate.ts'
import { failureAtStart } from './failure.ts'
import { ensureServer, type NatsServer, startNatsServer } from './nats-server/mod.ts'
import { planProcesses, shareOfCores } from './plan.ts'
import { checkPort } from './ports.ts'
import { waitUntilReady } from './ready.ts'
import { type Death, type SupervisedRole, superviseRole } from './role.ts'
import { makeRunDir, writeRuntimeFile } from './runtime-file.ts'

/** Loading a large model from a slow disk takes minutes. */
const READY_MS = 15 * 60_000
/** Scheduler and instances have nothing left to do when the gateway is gone. */
const REST_GRACE_MS = 1000

/** What {@linkcode startSystem} needs besides the config. */
export interface SystemOptions {
  /** Module that runs a role: `cli/main.ts`. */
  entry: URL
  /** Aborting while it starts stops everything. */
  signal: AbortSignal
  /** The nats-server can be reached. */
  onNats?: (url: string) => void
  /** A line for people, or a line of a process's log. */
  onLine?: (line: string) => void
  progress?: Progress
  clock?: Clock
}

/** A system that answers requests. */
export interface System {
  http: string
  nats: string
  /** Running requests may take so long to finish; 0 = at once. Calling again hurries. */
  stop(graceMs: number): Promise<void>
}

/** Errors: `port_taken`, `model_file_missing`, `nats_server_missing`, what a process says that cannot start. */
export async function startSystem(config: Config, options: SystemOptions): Promise<System> {
  const { entry, signal, onNats, onLine = () => {}, progress, clock = realClock } = options
  const model = config.model === undefined ? undefined : await locateModel(config.model)
  const port = await checkPort(config.host, config.port)
  const runDir = await makeRunDir()
  const failed = new AbortController()
  let server: NatsServer | undefined
  let roles: SupervisedRole[] = []
  let isReady = false
  let isStopping = false

  const stopRest = async (graceMs: number) => {
    isStopping = true
    await Promise.all(roles.map((role) => role.stop(graceMs)))
    await server?.stop()
    await rm(runDir, { recursive: true, force: true, maxRetries: 3 })
  }
  const onDeath = (death: Death, pauseMs: number) => {
    const failure: VolleyError | undefined = isReady ? undefined : failureAtStart(death)
    if (failure) failed.abort(failure)
    else {onLine(
        `${death.name} ended (${death.signal ?? `exit code ${death.code}`}); starting it again in ${pauseMs} ms`,
      )}
    return failure === undefined
  }
  try {
    if (config.nats === undefined) {
      const { path } = await ensureServer(progress, signal)
      server = await startNatsServer(path, runDir, signal)
    }
    const nats = config.nats ?? server!.url
    onNats?.(nats)
    const id = newId('').slice(1, 7)
    const threads = shareOfCores(config, availableParallelism())
    const plan = planProcesses({ ...config, model, threads }, { id, nats, port })
    // A process's own error is shown once, by whoever decides what it means; what it says of being stopped, never.
    const show = (name: string, line: string) => {
      const isError = / \[\w+\]$/.test(line)
      if (!isError || (isReady && !isStopping)) onLine(line.startsWith('{') ? line : `${name}: ${line}`)
    }
    roles = plan.map((planned) => superviseRole(planned, { entry, clock, onLine: show, onDeath }))
    const http = urlOf(config.host, port)
    const any = AbortSignal.any([signal, failed.signal])
    await waitUntilReady(http, {
      clock,
      timeoutMs: READY_MS,
      instances: config.instances,
      signal: any,
      onWait: onLine,
    })
    isReady = true
    await writeRuntimeFile(runDir, {
      pid: process.pid,
      nats,
      ...(server && { natsSystem: server.systemUrl }),
      http,
      ...(model !== undefined && { model }),
      startedMs: clock.now(),
    })
    return { http, nats, stop: stopInOrder }
  } catch (error) {
    await stopRest(0)
    throw error
  }

  async function stopInOrder(graceMs: number): Promise<void> {
    const gateway = roles.find(({ name }) => name.startsWith('gateway'))
    await gateway?.stop(graceMs)
    await stopRest(Math.min(graceMs, REST_GRACE_MS))
  }
}

/** Where a client on this machine finds it. */
function urlOf(host: string, port: number): string {
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}
