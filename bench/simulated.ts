/**
 * The simulator against a system of this machine: a load on real processes over HTTP, then the same arrivals in the
 * simulator with the profile that the instance measured of itself. What HTTP, gateway and bus add to a token is measured
 * on the idle system beforehand, with other prompts, and added to what is simulated.
 *
 *     volley bench simulated [--model NAME] [--instances 1] [--rate 4] [--requests 60] [--input 96] [--output 32]
 *                            [--seed 1] [--json]
 * @module
 */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { machineProfile } from '../actors/instance/profile.ts'
import { startSystem } from '../actors/supervisor/system.ts'
import { resolveConfig } from '../runtime/config/mod.ts'
import { VolleyError } from '../runtime/errors.ts'
import { projectRoot } from '../runtime/platform.ts'
import { type CostProfile, iterationMs, policyOf, prefillMs } from '../runtime/policy/mod.ts'
import { compare, type Comparison, type Latencies, Simulation } from '../runtime/sim/mod.ts'
import { benchFlags, count, print, quantile, round } from './flags.ts'
import { firstModel, generator, type Offer, offer, type Outcome, pauseMs, randomPrompt, tpotOf } from './load.ts'
import { machine } from './machine.ts'

/** Tokens of a prefill chunk in our engines. */
const CHUNK_TOKENS = 256
const MAX_BATCH = 32
/** Requests that make the processes warm, and those that are timed one at a time on the idle system. */
const WARM_UP = 24
const IDLE = 16
const IDLE_PAUSE_MS = 150

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, {
    model: '',
    instances: '1',
    rate: '4',
    requests: '60',
    input: '96',
    output: '32',
    seed: '1',
  })
  const rate = Number(flags.rate)
  if (!(rate > 0)) {
    throw new VolleyError('invalid_flag', `--rate must be above 0, not "${flags.rate}"`, { param: 'rate' })
  }
  const instances = count('instances', flags.instances)
  const random = generator(count('seed', flags.seed))
  const offers: Offer[] = []
  let atMs = 0
  for (let i = 0; i < count('requests', flags.requests); i++) {
    const around = (mean: number) => Math.max(2, Math.round(mean * (0.5 + random())))
    const outputTokens = around(count('output', flags.output))
    offers.push({ atMs, prompt: randomPrompt(random, around(count('input', flags.input))), outputTokens })
    atMs += pauseMs(random(), rate)
  }
  print(json, await machine())
  const { live, overhead, profile } = await liveRun(offers, instances, flags.model)
  const finished = live.filter(({ status }) => status === 'finished').length
  if (finished < offers.length) {
    throw new VolleyError(
      'engine_failed',
      `${offers.length - finished} of ${offers.length} requests did not finish: ${
        live.find(({ error }) => error)?.error ?? ''
      }`,
    )
  }
  const result = compare(
    live.map((o) => ({ ttftMs: o.ttftMs, tpotMs: tpotOf(o) })),
    simulated(offers, instances, profile, overhead),
  )
  print(json, {
    bench: 'simulated',
    profile: profile.name,
    instances,
    requests: offers.length,
    rate,
    idleOverhead: rounded(overhead),
    ...flat(result),
  })
}

const rounded = ({ ttftMs, tpotMs }: Latencies) => ({ ttftMs: round(ttftMs, 2), tpotMs: round(tpotMs, 2) })

/** `{ttftMs: {mean: {measured, simulated, error}}}` with names that fit one line. */
const flat = (result: Comparison) =>
  Object.fromEntries((['ttftMs', 'tpotMs'] as const).map((key) => [
    key,
    Object.fromEntries((['mean', 'p90'] as const).map((which) => {
      const { measured, simulated: found, error } = result[key][which]
      return [which, { live: round(measured, 2), simulated: round(found, 2), error: round(error, 3) }]
    })),
  ]))

/** A system of its own, the load on it, and what it adds to an engine's times when idle. */
async function liveRun(offers: readonly Offer[], instances: number, model: string) {
  const { config } = await resolveConfig({
    env: {},
    defaults: {
      port: 0,
      instances,
      policy: 'colocated',
      threads: 1,
      maxBatch: MAX_BATCH,
      logLevel: 'error',
      ...(model !== '' && { model }),
    },
  })
  const system = await startSystem(config, {
    entry: pathToFileURL(join(projectRoot, 'cli', 'main.ts')),
    signal: new AbortController().signal,
  })
  try {
    const name = await firstModel(system.http)
    const random = generator(0)
    const quick = (inputTokens: number) => ({ atMs: 0, prompt: randomPrompt(random, inputTokens), outputTokens: 24 })
    await offer(system.http, name, Array.from({ length: WARM_UP }, () => quick(64)))
    const profile = await machineProfile(name)
    const overheads: Latencies[] = []
    for (let at = 0; at < IDLE; at++) {
      // As far apart as users are: who has slept wakes up first.
      await setTimeout(IDLE_PAUSE_MS)
      const [outcome] = await offer(system.http, name, [quick(48)])
      overheads.push(overheadOf(outcome!, profile))
    }
    const middle = (of: (each: Latencies) => number) => Math.max(0, quantile(overheads.map(of), 0.5))
    const overhead = { ttftMs: middle((each) => each.ttftMs), tpotMs: middle((each) => each.tpotMs) }
    return { live: await offer(system.http, name, offers), overhead, profile }
  } finally {
    await system.stop(0)
  }
}

/** What an answer on an idle system took beyond what its engine is said to need. */
const overheadOf = (outcome: Outcome, profile: CostProfile): Latencies => ({
  ttftMs: outcome.ttftMs - prefillMs(profile, 48),
  tpotMs: tpotOf(outcome) - iterationMs(profile, 0, 0, 60, 1),
})

function simulated(
  offers: readonly Offer[],
  instances: number,
  profile: CostProfile,
  overhead: Latencies,
): Latencies[] {
  const latencies: Latencies[] = []
  const simulation = new Simulation({
    policy: policyOf('colocated'),
    profile,
    batching: { alternatingTokens: CHUNK_TOKENS },
    maxSequences: MAX_BATCH,
    slo: { ttftMs: Infinity, tpotMs: Infinity },
    labels: Array.from({ length: instances }, () => undefined),
    tailMs: Infinity,
    onDone: ({ id, firstMs, arrivedMs, output }, nowMs) => {
      latencies[id] = {
        ttftMs: firstMs - arrivedMs + overhead.ttftMs,
        tpotMs: (nowMs - firstMs) / (output - 1) + overhead.tpotMs,
      }
    },
  })
  for (const { atMs, prompt, outputTokens } of offers) simulation.offer(atMs, prompt.length, outputTokens)
  simulation.finish()
  return latencies
}
