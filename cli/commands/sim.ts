/**
 * `volley sim`: a trace through policies on the virtual clock. One line a policy; the same flags print the same bytes.
 * @module
 */
import { basename } from 'node:path'
import process from 'node:process'
import { machineProfile } from '../../actors/instance/profile.ts'
import { policyNamed } from '../../actors/policies.ts'
import { SETTINGS } from '../../runtime/config/mod.ts'
import { durationMs, integer, type Kind, oneOf, pairs } from '../../runtime/config/kinds.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { LABELS } from '../../runtime/policy/mod.ts'
import {
  drawBurstgpt,
  drawServegen,
  loadOf,
  measuredNames,
  type OpenTrace,
  PackedTrace,
  profileNames,
  profileOf,
  readFault,
  readTrace,
  runAtRate,
  runGoodput,
  type RunResult,
  type SimProfile,
  synthesise,
  thin,
  variantsOf,
} from '../../runtime/sim/mod.ts'
import type { Command, Input } from '../command.ts'
import type { FlagSpec } from '../flags.ts'
import { printMeasured, printProfiles } from '../sim/measured.ts'
import { commandLine, Outputs } from '../sim/outputs.ts'

const DEFAULT_POLICIES = 'best-static,best-colocated,arrow-v2'
const HOUR_MS = 3_600_000
const BYTES_PER_MS_PER_GBPS = 125_000

const number: Kind<number> = {
  expects: 'a number above 0',
  read: (raw) => (Number(raw) > 0 && Number.isFinite(Number(raw)) ? Number(raw) : undefined),
  show: String,
}

/** A flag's value, by its kind. Error: `invalid_flag`. */
function valueOf<T>(input: Input, flag: string, kind: Kind<T>): T | undefined {
  const text = input.text(flag)
  if (text === undefined) return undefined
  const value = kind.read(text)
  if (value !== undefined) return value
  throw new VolleyError('invalid_flag', `--${flag} must be ${kind.expects}, not "${text}"`, {
    param: flag,
    remedy: 'see volley sim --help',
  })
}

/** A profile that ships, or `machine[:MODEL]`: what was measured here. Error: `invalid_flag`. */
async function profileNamed(name: string): Promise<SimProfile> {
  const [, model] = /^machine(?::(.+))?$/.exec(name) ?? []
  return /^machine(?::|$)/.test(name) ? await machineProfile(model) : profileOf(name)
}

const SYNTHETIC = 'synthetic:'
const BURSTGPT = 'burstgpt:'
const SERVEGEN = /^servegen:(.+?)(?::(\d+)-(\d+))?$/
const DAY = ['0', '24'] as const

function traceOf(input: Input, seed: number): { name: string; open: OpenTrace } {
  const text = input.text('trace')
  if (text === undefined) {
    throw new VolleyError('invalid_flag', '--trace is missing', {
      param: 'trace',
      remedy: 'give --trace FILE, or --trace synthetic:inverting-a',
    })
  }
  const density = valueOf(input, 'density', number) ?? 1
  const segments = text.startsWith(SYNTHETIC) ? loadOf(text.slice(SYNTHETIC.length)) : undefined
  const [, clients, from = DAY[0], to = DAY[1]] = SERVEGEN.exec(text) ?? []
  const rows = async function* () {
    if (segments) yield* synthesise(segments, seed)
    else if (text.startsWith(BURSTGPT)) yield* drawBurstgpt(text.slice(BURSTGPT.length), seed)
    else if (clients !== undefined) yield* drawServegen(clients, [Number(from), Number(to)], seed)
    else yield* readTrace(text)
  }
  return {
    name: segments ? text : basename(text).replace(/\.gz$/, ''),
    open: () => (density === 1 ? rows() : thin(rows(), density, seed)),
  }
}

function sentence(
  policy: string,
  { labels, rate, attainment, ttftMs, tpotMs, flips, offered, goodput, tried }: RunResult,
): string {
  const found = goodput ? `goodput ${rate} (fails at ${goodput.failingRate ?? 'none'})` : `rate ${rate}`
  const all = tried
    ? `\n    ${Object.entries(tried).map(([name, value]) => `${name}: ${Number(value.toFixed(3))}`).join('  ')}`
    : ''
  const kept = `${(100 * attainment).toFixed(1)} % of ${offered}`
  return `${policy.padEnd(15)} ${
    labels.padEnd(24)
  } ${found}  ${kept}  TTFT p90 ${ttftMs.p90} ms  TPOT p90 ${tpotMs.p90} ms  flips ${flips}${all}`
}

const FLAGS: readonly FlagSpec[] = [
  {
    name: 'trace',
    hint: 'FILE',
    help: 'CSV arrival_s,input_tokens,output_tokens, Azure CSV or Mooncake JSON lines, gzip or not; ' +
      'or synthetic:inverting-a, synthetic:inverting-b, synthetic:stationary, synthetic:swing; or servegen:FILE:FROM-TO, hours of a day; or burstgpt:FILE, every tenth arrival',
  },
  { name: 'profile', hint: 'NAME', help: `what work costs: ${profileNames.join(', ')}, or machine[:MODEL], measured here; list tells more (default: 8b)` },
  {
    name: 'policy',
    hint: 'NAME[,NAME]',
    help: 'policies to compare, or files of your own; best-static and best-colocated sweep; NAME@EP+D = on instances for encode and prefill, and ' +
      `for decode (default: ${DEFAULT_POLICIES})`,
  },
  { name: 'instances', hint: 'N', help: 'how many (default: the sum of --labels, or 8)' },
  { name: 'labels', hint: 'prefill=4,decode=4', help: 'labels at the start (default: half and half)' },
  { name: 'slo', hint: 'ttft=MS,tpot=MS', help: 'targets in milliseconds (default: none)' },
  { name: 'rate', hint: 'X', help: "multiplier of the trace's speed (default: 1)" },
  { name: 'goodput', help: 'search the highest multiplier with 90 % inside both targets' },
  { name: 'density', hint: 'X', help: 'arrivals left out or repeated, to X times their number (default: 1)' },
  { name: 'loads', hint: 'plain|corrected', help: 'how Arrow reads load (default: corrected)' },
  {
    name: 'chunk',
    hint: 'N|first',
    help: 'prefill tokens beside decodes in one iteration, or prefills first (default: 2048)',
  },
  { name: 'restart', hint: 'SECONDS', help: 'downtime that a flip costs (default: 0)' },
  { name: 'measured', hint: 'RUN', help: `all, or ${measuredNames.join(', ')}: simulated against a measured run` },
  {
    name: 'fault',
    hint: 'KIND:INSTANCE:ATMS[:DURATIONMS][:FACTOR],…',
    help: 'what goes wrong: death:i0:60000, slow:i1:60000:30000:4, outage:broker:60000:5000',
  },
  {
    name: 'link-gbps',
    hint: 'X',
    help: "gigabits per second of an instance's link, which transfers share (default: 50 GB/s, not shared)",
  },
  { name: 'spread-images', help: "a request's images may be encoded by several instances" },
  { name: 'seed', hint: 'N', help: 'of synthetic and drawn loads, and of --density (default: 0)' },
  { name: 'requests', help: 'also a line a request: its times, its phases and their instances' },
  { name: 'report', hint: 'FILE.html', help: 'write a page: pools, queues, latencies and flips over time' },
  { name: 'chrome-trace', hint: 'FILE.json', help: 'write a trace that Perfetto and chrome://tracing open' },
]

/** `volley sim`. */
export const sim: Command = {
  name: 'sim',
  summary: 'A trace through policies on a virtual clock',
  flags: FLAGS,
  async run(input) {
    const { output } = input
    const measured = input.text('measured')
    if (measured !== undefined) return printMeasured(output, measured)
    if (input.text('profile') === 'list') return printProfiles(output)
    const labels = valueOf(input, 'labels', pairs(LABELS, integer({ min: 0, max: 1_024 })))
    const labelled = Object.values(labels ?? {}).reduce((sum, count) => sum + count, 0)
    const instances = valueOf(input, 'instances', integer({ min: 1, max: 1_024 })) ?? (labelled > 0 ? labelled : 8)
    const slo = valueOf(input, 'slo', SETTINGS.slo.kind) ?? {}
    const loads = valueOf(input, 'loads', oneOf(['plain', 'corrected'])) ?? 'corrected'
    const seed = valueOf(input, 'seed', integer({ min: 0, max: 2 ** 32 - 1 })) ?? 0
    const chunk = input.text('chunk') === 'first'
      ? 'first'
      : valueOf(input, 'chunk', integer({ min: 1, max: 1_000_000 })) ?? 2_048
    const rate = valueOf(input, 'rate', number)
    const searching = input.has('goodput')
    if (searching && rate !== undefined) {
      throw new VolleyError('invalid_flag', '--rate and --goodput exclude each other', {
        param: 'rate',
        remedy: 'give one',
      })
    }
    if (searching && slo.ttft === undefined && slo.tpot === undefined) {
      throw new VolleyError('invalid_flag', '--goodput needs --slo', {
        param: 'slo',
        remedy: 'add --slo ttft=3000,tpot=100',
      })
    }
    const profile = await profileNamed(input.text('profile') ?? '8b')
    const linkGbps = valueOf(input, 'link-gbps', number)
    const options = {
      profile,
      faults: input.text('fault')?.split(',').map(readFault),
      linkBytesPerMs: linkGbps === undefined ? undefined : linkGbps * BYTES_PER_MS_PER_GBPS,
      spreadImages: input.has('spread-images'),
      slo: { ttftMs: slo.ttft ?? Infinity, tpotMs: slo.tpot ?? Infinity },
      restartMs: valueOf(input, 'restart', durationMs({ maxMs: HOUR_MS })) ?? 0,
    }
    const named = await Promise.all((input.text('policy') ?? DEFAULT_POLICIES).split(',').map(policyNamed))
    const compared = named.map((name) => ({
      name,
      variants: variantsOf(name, {
        instances,
        loads,
        batching: chunk === 'first' ? 'prefill-first' : { chunkTokens: chunk },
        ...(labels && { labels }),
      }),
    }))
    const trace = traceOf(input, seed)
    const outputs = new Outputs(
      input,
      { trace: trace.name, profile: profile.name, slo: options.slo, command: commandLine(input, FLAGS) },
      compared.length,
    )
    const packed = searching ? await PackedTrace.read(trace.open()) : undefined
    for (const { name, variants } of compared) {
      const before = process.cpuUsage()
      const watch = outputs.watch(name)
      const result = packed
        ? runGoodput(variants, options, packed, watch.observer)
        : await runAtRate(variants, options, trace.open, rate ?? 1, watch.observer)
      watch.done(result)
      const { user, system } = process.cpuUsage(before)
      const { goodput, ...figures } = result
      output.data({
        sim: trace.name,
        profile: profile.name,
        policy: name,
        ...figures,
        ...(goodput && { goodput: goodput.rate, failingRate: goodput.failingRate }),
      }, sentence(name, result))
      if (!packed && variants.length === 1) {
        output.note(
          `${name}: ${
            Math.round(result.offered / (user + system) * 60e6).toLocaleString('en')
          } requests a minute of processor time, reading included`,
        )
      }
    }
    outputs.finish()
  },
}
