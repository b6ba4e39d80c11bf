/**
 * A load that turns from long prompts to long answers and back, on real systems of one machine: an elastic policy
 * against every static split and against colocated instances, the same arrivals for all, one after the other. On a
 * machine with fewer cores than instances they share what they compute with; `pace` holds every step to the times of a
 * machine of their own (runtime/engine/paced.ts): real processes, bus, transfers and tokens, scripted step times.
 * @module
 */
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { startSystem } from '../actors/supervisor/system.ts'
import { connect } from '../runtime/client/mod.ts'
import { type Config, resolveConfig } from '../runtime/config/mod.ts'
import { VolleyError } from '../runtime/errors.ts'
import { projectRoot } from '../runtime/platform.ts'
import { profileOf } from '../runtime/sim/mod.ts'
import { print, quantile, round } from './flags.ts'
import { firstModel, generator, keeps, type Offer, offer, type Outcome, pauseMs, randomPrompt, tpotOf } from './load.ts'
import { machine } from './machine.ts'

export interface LoadOptions {
  seed: number
  instances: number
  phaseMs: number
  /** Pairs of phases. */
  cycles: number
  /** Multiplier of both phases' rates. */
  rate: number
}

export interface PhaseShiftOptions extends LoadOptions {
  json: boolean
  /** The elastic one. */
  policy: string
  /** Of its flips: shorter than the default by what the phases are shorter than a day's. */
  cooldownMs: number
  /** Cost profile; undefined = as fast as they go. */
  pace: string | undefined
  slo: { ttft: number; tpot: number }
  /** Names of set-ups; empty = all. */
  only: readonly string[]
  model?: string
}

/** One way to run the instances. */
interface SetUp {
  name: string
  labels: Config['labels']
  policy: string
}

/**
 * Both phases by the same rule: four fifths of what all instances but one can do, at "l30b" and a batch of 8: prompts of
 * 440 tokens take 0.28 s, so 3.6 a second each; answers of 60 take 2.6 s, 8 at once, so 3.05 a second each.
 */
const PHASES = {
  prefill: { inputTokens: 440, outputTokens: 8, perSecondEach: 3.6 },
  decode: { inputTokens: 16, outputTokens: 60, perSecondEach: 3.05 },
}
const SHARE = 0.8
const MAX_BATCH = 8
const DWELL_MS = 500
const WARM_UP = 8

/** Poisson arrivals, prompts first; the same seed offers the same. */
export function offersOf({ seed, instances, phaseMs, cycles, rate }: LoadOptions): (Offer & { phase: keyof typeof PHASES })[] {
  const random = generator(seed)
  const offers: (Offer & { phase: keyof typeof PHASES })[] = []
  for (let at = 0; at < 2 * cycles; at++) {
    const phase = at % 2 === 0 ? 'prefill' : 'decode'
    const { inputTokens, outputTokens, perSecondEach } = PHASES[phase]
    const perSecond = rate * SHARE * Math.max(1, instances - 1) * perSecondEach
    for (let ms = pauseMs(random(), perSecond); ms < phaseMs; ms += pauseMs(random(), perSecond)) {
      offers.push({ atMs: at * phaseMs + ms, prompt: randomPrompt(random, inputTokens), outputTokens, phase })
    }
  }
  return offers
}

function setUps({ instances, policy }: PhaseShiftOptions): SetUp[] {
  const splits = Array.from({ length: instances - 1 }, (_, i) => ({ prefill: i + 1, decode: instances - i - 1 }))
  const half = Math.ceil(instances / 2)
  return [
    ...splits.map((labels) => ({ name: `${labels.prefill}P${labels.decode}D`, labels, policy: 'static' })),
    { name: 'colocated', labels: {}, policy: 'colocated' },
    { name: policy, labels: { prefill: half, decode: instances - half }, policy },
  ]
}

/** What is printed of one set-up. */
interface Figure {
  bench: string
  setUp: string
  /** `none`: not paced. */
  pace: string
  offered: number
  finished: number
  /** Share of what was offered that was inside both SLOs: of all, and of each phase's arrivals. */
  goodput: number
  goodputPrefill: number
  goodputDecode: number
  ttftMs: { p50: number; p90: number }
  tpotMs: { p50: number; p90: number }
  flips: number
  /** Share of the engines' steps that this machine could not compute in the time the pace gives them. */
  lateSteps: number
}

const COLUMNS: readonly (readonly [name: string, cell: (figure: Figure) => string | number])[] = [
  ['SET-UP', (f) => f.setUp], ['PACE', (f) => f.pace], ['OFFERED', (f) => f.offered], ['FINISHED', (f) => f.finished],
  ['GOODPUT', (f) => f.goodput], ['PROMPTS', (f) => f.goodputPrefill], ['ANSWERS', (f) => f.goodputDecode],
  ['TTFT P50', (f) => f.ttftMs.p50], ['P90 MS', (f) => f.ttftMs.p90], ['TPOT P50', (f) => f.tpotMs.p50], ['P90 MS', (f) => f.tpotMs.p90],
  ['FLIPS', (f) => f.flips], ['LATE', (f) => f.lateSteps],
]
const rowOf = (cells: readonly (string | number)[]): string =>
  cells.map((cell, i) => (i < 2 ? String(cell).padEnd(12) : String(cell).padStart(9))).join(' ') + '\n'

/** Runs them all and prints a line each, then who won. Errors: `invalid_flag`, and whatever a system cannot start for. */
export async function phaseShift(options: PhaseShiftOptions): Promise<void> {
  const { json, instances, only, pace, slo } = options
  if (instances < 2) throw new VolleyError('invalid_flag', '--instances must be at least 2: a split needs two', { param: 'instances' })
  // An unknown name is an error now, not after the first system's start.
  if (pace !== undefined) profileOf(pace)
  const offers = offersOf(options)
  const chosen = setUps(options).filter(({ name }) => only.length === 0 || only.includes(name))
  if (chosen.length === 0) throw new VolleyError('invalid_flag', `--only names none of: ${setUps(options).map(({ name }) => name).join(', ')}`, { param: 'only' })
  print(json, await machine())
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const goodputs = new Map<string, number>()
  if (!json) process.stdout.write(rowOf(COLUMNS.map(([name]) => name)))
  for (const setUp of chosen) {
    const { outcomes, flips, late } = await run(setUp, options, offers, stop.signal)
    const share = (phase?: string) => {
      const of = outcomes.filter((_, i) => phase === undefined || offers[i]!.phase === phase)
      return round(of.filter((o) => keeps(o, slo)).length / of.length)
    }
    goodputs.set(setUp.name, share())
    const finished = outcomes.filter(({ status }) => status === 'finished')
    const quantiles = (values: number[]) => ({ p50: round(quantile(values, 0.5), 1), p90: round(quantile(values, 0.9), 1) })
    const figure: Figure = {
      bench: 'phase-shift', setUp: setUp.name, pace: pace ?? 'none', offered: outcomes.length, finished: finished.length,
      goodput: share(), goodputPrefill: share('prefill'), goodputDecode: share('decode'),
      ttftMs: quantiles(finished.map((o) => o.ttftMs)), tpotMs: quantiles(finished.map(tpotOf)), flips, lateSteps: late,
    }
    if (json) print(json, { ...figure })
    else process.stdout.write(rowOf(COLUMNS.map(([, cell]) => cell(figure))))
  }
  const elastic = goodputs.get(options.policy)
  const others = [...goodputs].filter(([name]) => name !== options.policy)
  const best = (among: [string, number][]) => among.reduce<[string, number] | undefined>((a, b) => (a && a[1] >= b[1] ? a : b), undefined)
  const split = best(others.filter(([name]) => name !== 'colocated'))
  if (elastic !== undefined && split !== undefined) {
    print(json, {
      bench: 'phase-shift', summary: options.policy, pace: pace ?? 'none', goodput: elastic, bestSplit: split[0], bestSplitGoodput: split[1],
      toBestSplit: round(elastic / split[1], 2), ...(goodputs.has('colocated') && { toColocated: round(elastic / goodputs.get('colocated')!, 2) }),
    })
  }
}

async function run(
  { labels, policy }: SetUp,
  { instances, pace, cooldownMs, slo, model }: PhaseShiftOptions,
  offers: readonly Offer[],
  signal: AbortSignal,
): Promise<{ outcomes: Outcome[]; flips: number; late: number }> {
  const { config } = await resolveConfig({
    env: {},
    defaults: {
      port: 0, instances, labels, policy, threads: 1, maxBatch: MAX_BATCH, slo, flips: { dwell: DWELL_MS, cooldown: cooldownMs },
      profilePace: pace, logLevel: 'error', ...(model !== undefined && { model }),
    },
  })
  const system = await startSystem(config, { entry: pathToFileURL(join(projectRoot, 'cli', 'main.ts')), signal })
  const client = await connect({ nats: system.nats, signal })
  try {
    const name = await firstModel(system.http)
    const random = generator(0)
    await offer(system.http, name, Array.from({ length: WARM_UP }, () => ({ atMs: 0, prompt: randomPrompt(random, 64), outputTokens: 4 })))
    const flipsBefore = await flipsOf(client)
    const outcomes = await offer(system.http, name, offers)
    const steps = (await client.instances()).map(({ load }) => load.pace ?? { steps: 0, late: 0 })
    const sum = (of: (each: { steps: number; late: number }) => number) => steps.reduce((total, each) => total + of(each), 0)
    return { outcomes, flips: (await flipsOf(client)) - flipsBefore, late: round(sum((s) => s.late) / Math.max(1, sum((s) => s.steps)), 4) }
  } finally {
    await client.close()
    await system.stop(0)
  }
}

const flipsOf = async (client: Awaited<ReturnType<typeof connect>>): Promise<number> => {
  const each = await Promise.all((await client.instances()).map(({ id }) => client.labels(id)))
  return each.reduce((sum, labels) => sum + (labels.at(-1)?.flips ?? 0), 0)
}
