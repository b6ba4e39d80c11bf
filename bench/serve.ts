/**
 * `volley bench serve`: an open-loop load on a running system over HTTP, as its users would make it. Times are the
 * client's: TTFT = send to first non-empty piece, TPOT = (E2E - TTFT) / (output tokens - 1), attainment = requests
 * inside both SLOs / offered.
 *
 *     volley bench serve --url URL [--model NAME] [--rate 4] [--requests 50] [--input 64] [--output 32]
 *                        [--slo ttft=MS,tpot=MS] [--seed 1] [--json]
 *
 * With `--engines "wasm prefill:tensorflow,decode:wasm"` in place of a URL it starts a system of one instance on each
 * engine, one after the other, offers all the same load and prints ratios to the first.
 * @module
 */
import { VolleyError } from '../runtime/errors.ts'
import { benchFlags, count, print, quantile, round } from './flags.ts'
import { machine } from './machine.ts'
import { withSystem } from './serve-engines.ts'

interface Outcome {
  status: 'finished' | 'rejected' | 'failed'
  outputTokens: number
  ttftMs: number
  e2eMs: number
  /** Gaps between pieces, ms. */
  itlMs: number[]
  error?: string
}

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, { url: '', model: '', rate: '4', requests: '50', input: '64', output: '32', slo: '', seed: '1', engines: '' })
  const engines = flags.engines.split(' ').filter(Boolean)
  if (flags.url === '' && engines.length === 0) throw new VolleyError('invalid_flag', '--url is missing', { param: 'url', remedy: 'give the address that `volley serve` printed' })
  const [requests, input, output, seed] = [count('requests', flags.requests), count('input', flags.input), count('output', flags.output), count('seed', flags.seed)]
  const rate = Number(flags.rate)
  if (!(rate > 0)) throw new VolleyError('invalid_flag', `--rate must be requests a second, above 0, not "${flags.rate}"`, { param: 'rate' })
  const slo = sloOf(flags.slo)
  const load: Load = { requests, input, output, seed, rate }
  if (engines.length === 0) {
    const { all, seconds } = await offer(flags.url, flags.model, load)
    all.forEach((outcome, i) => print(json, { bench: 'serve', request: i, ...lineOf(outcome) }))
    return print(json, summary(all, seconds, slo))
  }
  print(json, await machine())
  const summaries: ReturnType<typeof summary>[] = []
  for (const engine of engines) {
    const { all, seconds } = await withSystem(engine, flags.model, async (url) => {
      // Warm, and on the way to the steady state.
      await offer(url, '', { ...load, requests: 2, seed: seed + 1 })
      return await offer(url, '', load)
    })
    const found = summary(all, seconds, slo)
    print(json, { ...found, engine, input, output, rate })
    summaries.push(found)
  }
  const [first, ...others] = summaries
  for (const [i, other] of others.entries()) {
    print(json, {
      bench: 'ratio', engine: engines[i + 1], to: engines[0],
      ttftP50: round(first!.ttftMs.p50 / other.ttftMs.p50, 2), throughput: round(other.outputTokensPerSecond / first!.outputTokensPerSecond, 2),
    })
  }
}

/** What is offered. */
interface Load {
  requests: number
  /** Tokens of each prompt, and of each answer. */
  input: number
  output: number
  seed: number
  /** Requests a second; Poisson arrivals, whatever the answers do. */
  rate: number
}

async function offer(url: string, name: string, { requests, input, output, seed, rate }: Load): Promise<{ all: Outcome[]; seconds: number }> {
  const model = name === '' ? await firstModel(url) : name
  const random = generator(seed)
  const outcomes: Promise<Outcome>[] = []
  const startedMs = performance.now()
  let at = 0
  for (let i = 0; i < requests; i++) {
    const wait = startedMs + at - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    const prompt = Array.from({ length: input }, () => 10 + Math.floor(random() * 200))
    outcomes.push(ask(url, { model, prompt, max_tokens: output, temperature: 0, ignore_eos: true, stream: true, return_token_ids: true }))
    at += -Math.log(1 - random()) * 1000 / rate
  }
  return { all: await Promise.all(outcomes), seconds: (performance.now() - startedMs) / 1000 }
}

const tpotOf = ({ e2eMs, ttftMs, outputTokens }: Outcome): number => (outputTokens > 1 ? (e2eMs - ttftMs) / (outputTokens - 1) : 0)

function lineOf(o: Outcome) {
  const { status, outputTokens, error } = o
  return { status, outputTokens, ttftMs: round(o.ttftMs), tpotMs: round(tpotOf(o)), e2eMs: round(o.e2eMs), ...(error ? { error } : {}) }
}

function summary(all: Outcome[], seconds: number, slo: { ttft: number; tpot: number }) {
  const finished = all.filter((o) => o.status === 'finished')
  const percentiles = (values: number[]) => ({ p50: round(quantile(values, 0.5)), p90: round(quantile(values, 0.9)), p99: round(quantile(values, 0.99)) })
  const met = finished.filter((o) => o.ttftMs <= slo.ttft && tpotOf(o) <= slo.tpot).length
  return {
    bench: 'serve', offered: all.length, finished: finished.length,
    rejected: all.filter((o) => o.status === 'rejected').length, failed: all.filter((o) => o.status === 'failed').length,
    ttftMs: percentiles(finished.map((o) => o.ttftMs)), tpotMs: percentiles(finished.map(tpotOf)),
    itlMs: percentiles(finished.flatMap((o) => o.itlMs)), e2eMs: percentiles(finished.map((o) => o.e2eMs)),
    outputTokensPerSecond: round(finished.reduce((sum, o) => sum + o.outputTokens, 0) / seconds, 1),
    attainment: round(met / all.length), goodput: round(met / seconds),
  }
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

async function firstModel(url: string): Promise<string> {
  const response = await fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
    throw new VolleyError('bus_unreachable', `Nobody answers at ${url}`, { cause, remedy: 'start the system with `volley serve`' })
  })
  const body = (await response.json()) as { data: { id: string }[] }
  return body.data[0]!.id
}

async function ask(url: string, body: object): Promise<Outcome> {
  const sentMs = performance.now()
  const outcome: Outcome = { status: 'failed', outputTokens: 0, ttftMs: Infinity, e2eMs: Infinity, itlMs: [] }
  try {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: AbortSignal.timeout(600_000),
    })
    if (!response.ok) {
      const status = response.status === 429 || response.status === 503 ? 'rejected' : 'failed'
      return { ...outcome, status, error: (await response.text()).slice(0, 200) }
    }
    let lastMs = 0
    for await (const event of events(response)) {
      if (event === '[DONE]') return { ...outcome, status: 'finished', e2eMs: performance.now() - sentMs }
      const chunk = JSON.parse(event) as { error?: { message: string }; choices: { text: string; token_ids?: number[] }[] }
      if (chunk.error) return { ...outcome, error: chunk.error.message }
      const choice = chunk.choices[0]
      const nowMs = performance.now()
      outcome.outputTokens += choice?.token_ids?.length ?? 0
      if (!choice?.text && !choice?.token_ids?.length) continue
      if (outcome.ttftMs === Infinity) outcome.ttftMs = nowMs - sentMs
      else outcome.itlMs.push(nowMs - lastMs)
      lastMs = nowMs
    }
    return { ...outcome, error: 'the stream ended before [DONE]' }
  } catch (error) {
    return { ...outcome, error: String(error) }
  }
}

/** The `data:` lines of a server-sent stream. */
async function* events(response: Response): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line.startsWith('data: ')) yield line.slice(6)
  }
}

/** Mulberry32: the same seed offers the same load. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
