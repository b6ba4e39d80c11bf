/**
 * `volley bench hop`: what the framework costs a request and a hop, with phases that do nothing, beside the raw bus on the
 * same server in the same run (publish, pull, acknowledge, in turn).
 *
 *     volley bench hop [--requests 300] [--concurrency 32] [--json]
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admissions } from '../actors/gateway/admissions.ts'
import { ClusterFront } from '../actors/gateway/cluster-front.ts'
import type { Submission } from '../actors/gateway/front.ts'
import { Instance } from '../actors/instance/instance.ts'
import { ensureServer, startNatsServer } from '../actors/supervisor/nats-server/mod.ts'
import type { Bus } from '../runtime/bus/bus.ts'
import { natsBus } from '../runtime/bus/nats.ts'
import { subjects } from '../runtime/bus/subjects.ts'
import { realClock as clock } from '../runtime/clock.ts'
import { definePipeline, registerPipeline } from '../runtime/machine/mod.ts'
import { defineActor } from '../runtime/pool/actor.ts'
import { AccuracyKeeper } from '../runtime/pool/accuracy.ts'
import { Dispatcher } from '../runtime/pool/dispatcher.ts'
import { Presence } from '../runtime/pool/presence.ts'
import { directPlane } from '../runtime/transfer/direct.ts'
import { Cluster } from '../runtime/pool/view.ts'
import { unmeasured } from '../runtime/policy/profile.ts'
import { policyOf } from '../runtime/policy/mod.ts'
import { benchFlags, count, print, quantile, round } from './flags.ts'
import { idleEngine, idleMover, idleText } from './idle.ts'

/** As many hops as a request of the LLM pipeline makes when its phases are apart. */
const PHASES = ['first', 'second', 'third']

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, { requests: '300', concurrency: '32' })
  const requests = count('requests', flags.requests)
  const concurrency = count('concurrency', flags.concurrency)
  const { path } = await ensureServer()
  const runDir = await mkdtemp(join(tmpdir(), 'volley-bench-'))
  const server = await startNatsServer(path, runDir)
  const buses: Bus[] = []
  const join_ = async (name: string) => {
    const bus = await natsBus({ servers: server.url, name })
    buses.push(bus)
    return bus
  }
  const stops: (() => unknown)[] = []
  try {
    const raw = await join_('raw')
    await raw.setUp()
    await rawHops(raw, requests * PHASES.length, json)
    const front = await startSystem(join_, stops)
    await framework(front, requests, concurrency, json)
  } finally {
    for (const stop of stops) await stop()
    for (const bus of buses) await bus.close()
    await server.stop()
    await rm(runDir, { recursive: true, force: true })
  }
}

/** Publish, pull, acknowledge, one after the other; then many at a time. */
async function rawHops(bus: Bus, hops: number, json: boolean): Promise<void> {
  await bus.ensurePhase('raw')
  const once = async (i: number) => {
    await bus.append(subjects.hop('raw', 'none', 'default', `raw-${i}`), '{}', { msgId: `raw-${i}` })
    const [delivery] = await bus.pull('raw', { max: 1, expiresMs: 2_000 })
    bus.ack(delivery!.ackSubject)
  }
  for (let i = 0; i < 50; i++) await once(i)
  const times: number[] = []
  const started = performance.now()
  for (let i = 0; i < hops; i++) {
    const at = performance.now()
    await once(1_000_000 + i)
    times.push(performance.now() - at)
  }
  figure(json, 'raw bus', hops, times, started)
}

async function startSystem(join_: (name: string) => Promise<Bus>, stops: (() => unknown)[]): Promise<ClusterFront> {
  registerPipeline(definePipeline({
    name: 'idle',
    context: () => ({}),
    initial: PHASES[0]!,
    states: Object.fromEntries(PHASES.map((phase, i) => [phase, { phase, on: { DONE: PHASES[i + 1] ?? 'done' } }])),
  }))
  const actors = PHASES.map((name) => defineActor({ name, run: () => Promise.resolve({ type: 'DONE' }) }))
  const instance = new Instance({
    bus: await join_('instance'), clock, id: 'i1', incarnation: 'x', engine: idleEngine, text: idleText, mover: idleMover,
    stopWatch: () => () => false, actors, host: 'here', pid: process.pid, profile: unmeasured(16),
  })
  await instance.start()
  stops.push(() => instance.stop(0))
  const schedulerBus = await join_('scheduler')
  const seen = new Cluster()
  await seen.start(schedulerBus)
  const dispatcher = new Dispatcher({ bus: schedulerBus, clock, cluster: seen, policy: policyOf('single'), name: 'bench' })
  const running = dispatcher.run()
  stops.push(() => (dispatcher.stop(), running))
  const gatewayBus = await join_('gateway')
  const cluster = new Cluster()
  await cluster.start(gatewayBus)
  const presence = new Presence(gatewayBus, clock, 'volley_gateways', 'bench', () => ({ state: 'up' }))
  await presence.renew()
  stops.push(() => presence.close(), () => cluster.stop())
  const plane = await directPlane({ owner: 'bench', incarnation: 'x', bus: gatewayBus })
  stops.push(() => plane.close())
  const admissions = new Admissions({ bus: gatewayBus, clock, gateway: 'bench', accuracy: new AccuracyKeeper(gatewayBus, 'bench') })
  return new ClusterFront({ bus: gatewayBus, clock, gateway: 'bench', text: idleText, prompts: async () => [], cluster, plane, admissions, maxOpen: 10_000 })
}

async function framework(front: ClusterFront, requests: number, concurrency: number, json: boolean): Promise<void> {
  const { signal } = new AbortController()
  const once = async () => {
    const at = performance.now()
    const open = await front.submit(submission, signal)
    for await (const _ of open.tokens);
    return performance.now() - at
  }
  for (let i = 0; i < 20; i++) await once()
  const times: number[] = []
  let started = performance.now()
  for (let i = 0; i < requests; i++) times.push(await once())
  figure(json, 'framework, one at a time', requests * PHASES.length, times.map((ms) => ms / PHASES.length), started)
  const perRequest = { requests, p50Ms: round(quantile(times, 0.5)), p99Ms: round(quantile(times, 0.99)) }
  print(json, { bench: 'hop', what: 'framework, a whole request', hopsPerRequest: PHASES.length, hops: requests * PHASES.length, ...perRequest, perSecond: round(requests / ((performance.now() - started) / 1000), 1) })
  started = performance.now()
  const many: number[] = []
  let left = requests
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (left-- > 0) many.push((await once()) / PHASES.length)
  }))
  figure(json, `framework, ${concurrency} at a time`, many.length * PHASES.length, many, started)
}

function figure(json: boolean, what: string, hops: number, timesMs: number[], startedMs: number): void {
  const seconds = (performance.now() - startedMs) / 1000
  print(json, { bench: 'hop', what, hops, p50Ms: round(quantile(timesMs, 0.5)), p99Ms: round(quantile(timesMs, 0.99)), perSecond: round(hops / seconds, 1) })
}

const submission: Submission = {
  model: 'idle', pipeline: 'idle', lane: 'default', prompt: [1], pictures: [], n: 1, stop: [], timeoutMs: 60_000,
  sampling: {
    maxTokens: 1, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0, presencePenalty: 0, frequencyPenalty: 0,
    repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: false,
  },
}
