/**
 * `volley bench serve`: an open-loop load over HTTP. On a running system (`--url`): its latencies, attainment = requests
 * inside both SLOs / offered. With `--engines`: the same load on systems of one instance each, on one engine after the
 * other, and ratios to the first. With `--workload phase-shift`: systems of its own, every static split, colocated and an
 * elastic policy, under a load that turns from prompts to answers and back (bench/phase-shift.ts).
 *
 *     volley bench serve --url URL [--model NAME] [--rate 4] [--requests 50] [--input 64] [--output 32]
 *                        [--slo ttft=MS,tpot=MS] [--seed 1] [--json]
 *     volley bench serve --engines 'wasm prefill:tensorflow,decode:wasm' [--model NAME] and as above
 *     volley bench serve --workload phase-shift [--instances 4] [--profile-pace l30b|none] [--policy arrow-v2] [--cooldown 2000]
 *                        [--phase 9] [--cycles 2] [--rate 1] [--slo ttft=1000,tpot=90] [--only NAME,NAME] [--seed 1] [--json]
 * @module
 */
import { VolleyError } from '../runtime/errors.ts'
import { benchFlags, count, print, quantile, round } from './flags.ts'
import { firstModel, generator, keeps, type Offer, offer, type Outcome, pauseMs, randomPrompt, tpotOf } from './load.ts'
import { machine } from './machine.ts'
import { phaseShift } from './phase-shift.ts'
import { onEach } from './serve-engines.ts'

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, {
    url: '', model: '', rate: '', requests: '50', input: '64', output: '32', slo: '', seed: '1', workload: '',
    instances: '4', 'profile-pace': 'l30b', policy: 'arrow-v2', cooldown: '2000', phase: '9', cycles: '2', only: '', engines: '',
  })
  const seed = count('seed', flags.seed)
  if (flags.workload !== '') {
    if (flags.workload !== 'phase-shift') {
      throw new VolleyError('invalid_flag', `There is no workload "${flags.workload}"`, { param: 'workload', remedy: '--workload phase-shift' })
    }
    const pace = flags['profile-pace']
    return await phaseShift({
      json, seed,
      instances: count('instances', flags.instances), policy: flags.policy, cooldownMs: count('cooldown', flags.cooldown),
      pace: pace === 'none' ? undefined : pace,
      phaseMs: count('phase', flags.phase) * 1000, cycles: count('cycles', flags.cycles),
      rate: positive('rate', flags.rate || '1'), slo: sloOf(flags.slo || 'ttft=1000,tpot=90'),
      only: flags.only.split(',').filter(Boolean),
      ...(flags.model !== '' && { model: flags.model }),
    })
  }
  const engines = flags.engines.split(' ').filter(Boolean)
  if (flags.url === '' && engines.length === 0) {
    throw new VolleyError('invalid_flag', '--url is missing', { param: 'url', remedy: 'give the address that `volley serve` printed, or --workload phase-shift' })
  }
  const [requests, input, output] = [count('requests', flags.requests), count('input', flags.input), count('output', flags.output)]
  const rate = positive('rate', flags.rate || '4')
  const slo = sloOf(flags.slo)
  const load: Load = { seed, requests, input, output, rate }
  if (engines.length > 0) {
    print(json, await machine())
    const found = await onEach(engines, flags.model, async (url) => {
      // Warm first.
      await loaded(url, '', { ...load, requests: 2, seed: seed + 1 })
      const { all, seconds } = await loaded(url, '', load)
      return summary(all, seconds, slo)
    })
    found.forEach((figures, i) => print(json, { engine: engines[i], input, output, rate, ...figures }))
    const [first, ...others] = found
    others.forEach((other, i) => print(json, {
      bench: 'ratio', engine: engines[i + 1], to: engines[0], ttftP50: round(first!.ttftMs.p50 / other.ttftMs.p50, 2),
      tokensPerSecond: round(other.outputTokensPerSecond / first!.outputTokensPerSecond, 2),
    }))
    return
  }
  const { all, seconds } = await loaded(flags.url, flags.model, load)
  all.forEach((outcome, i) => print(json, { bench: 'serve', request: i, ...lineOf(outcome) }))
  print(json, summary(all, seconds, slo))
}

/** Poisson arrivals. */
interface Load {
  seed: number
  requests: number
  /** Tokens of a prompt, and of an answer. */
  input: number
  output: number
  /** Requests a second. */
  rate: number
}

async function loaded(url: string, name: string, { seed, requests, input, output, rate }: Load): Promise<{ all: Outcome[]; seconds: number }> {
  const model = name === '' ? await firstModel(url) : name
  const random = generator(seed)
  const offers: Offer[] = []
  let atMs = 0
  for (let i = 0; i < requests; i++) {
    offers.push({ atMs, prompt: randomPrompt(random, input), outputTokens: output })
    atMs += pauseMs(random(), rate)
  }
  const startedMs = performance.now()
  const all = await offer(url, model, offers)
  return { all, seconds: (performance.now() - startedMs) / 1000 }
}

function lineOf(o: Outcome) {
  const { status, outputTokens, error } = o
  return { status, outputTokens, ttftMs: round(o.ttftMs), tpotMs: round(tpotOf(o)), e2eMs: round(o.e2eMs), ...(error ? { error } : {}) }
}

function summary(all: Outcome[], seconds: number, slo: { ttft: number; tpot: number }) {
  const finished = all.filter((o) => o.status === 'finished')
  const percentiles = (values: number[]) => ({ p50: round(quantile(values, 0.5)), p90: round(quantile(values, 0.9)), p99: round(quantile(values, 0.99)) })
  const met = all.filter((o) => keeps(o, slo)).length
  return {
    bench: 'serve', offered: all.length, finished: finished.length,
    rejected: all.filter((o) => o.status === 'rejected').length, failed: all.filter((o) => o.status === 'failed').length,
    ttftMs: percentiles(finished.map((o) => o.ttftMs)), tpotMs: percentiles(finished.map(tpotOf)),
    itlMs: percentiles(finished.flatMap((o) => o.itlMs)), e2eMs: percentiles(finished.map((o) => o.e2eMs)),
    outputTokensPerSecond: round(finished.reduce((sum, o) => sum + o.outputTokens, 0) / seconds, 1),
    attainment: round(met / all.length), goodput: round(met / seconds),
  }
}

function positive(flag: string, text: string): number {
  if (Number(text) > 0 && Number.isFinite(Number(text))) return Number(text)
  throw new VolleyError('invalid_flag', `--${flag} must be a number above 0, not "${text}"`, { param: flag })
}

function sloOf(text: string): { ttft: number; tpot: number } {
  const slo = { ttft: Infinity, tpot: Infinity }
  for (const part of text.split(',').filter(Boolean)) {
    const [name, value] = part.split('=')
    if ((name !== 'ttft' && name !== 'tpot') || !(Number(value) > 0)) {
      throw new VolleyError('invalid_flag', `--slo must look like ttft=500,tpot=50 (milliseconds), not "${text}"`, { param: 'slo' })
    }
    slo[name] = Number(value)
  }
  return slo
}
