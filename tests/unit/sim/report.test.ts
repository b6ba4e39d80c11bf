import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../../../cli/command.ts'
import { sim as command } from '../../../cli/commands/sim.ts'
import { toVolleyError } from '../../../runtime/errors.ts'
import { policyOf } from '../../../runtime/policy/mod.ts'
import {
  ChromeTrace,
  Observers,
  profileOf,
  readFault,
  reportPage,
  type RequestRecord,
  RequestRecorder,
  type RunSeries,
  SeriesRecorder,
  type SimObserver,
  type SimResult,
} from '../../../runtime/sim/mod.ts'
import { DEAD } from '../../../runtime/sim/report-series.ts'
import { temporaryDirectory } from '../../helpers/model-files.ts'
import { named, observe, restless, setUp, SLO, synthetic } from './helpers.ts'

const trace = synthetic('inverting-a:100')
const RATE = 9

interface TraceEvent {
  ph: string
  name: string
  pid: number
  tid: number
  ts: number
  dur?: number
  id?: string
  args?: Record<string, unknown>
}

/** A run in which labels flip at every tick, and all that is made of it. */
function record(): { result: SimResult; records: RequestRecord[]; chrome: string; series: RunSeries } {
  const records: RequestRecord[] = []
  let chrome = ''
  const series = new SeriesRecorder(SLO)
  const observer: SimObserver = new Observers([
    new RequestRecorder((one) => void records.push(one)),
    new ChromeTrace((text) => void (chrome += text), 'test'),
    series,
  ])
  const { result } = observe(setUp({ policy: restless, observer, tailMs: 3_000 }), trace, RATE)
  return { result, records, chrome, series: series.series() }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

describe('a run that is looked at', () => {
  let run: ReturnType<typeof record>
  beforeAll(() => void (run = record()))

  test('goes as if nobody looked', () => {
    expect(observe(setUp({ policy: restless, tailMs: 3_000 }), trace, RATE).result).toEqual(run.result)
    expect(run.result.failed).toBeGreaterThan(0)
    expect(run.result.flips).toBeGreaterThan(10)
  })

  test('makes the same bytes again', () => {
    const again = record()
    expect(again.chrome).toBe(run.chrome)
    expect(again.records).toEqual(run.records)
    expect(again.series).toEqual(run.series)
  })

  test('RequestRecorder: one record a request, in all what the result counts', () => {
    const { records, result } = run
    expect(new Set(records.map(({ request }) => request)).size).toBe(result.offered)
    const of = (status: string) => records.filter((r) => r.status === status)
    expect([of('finished').length, of('failed').length, of('rejected').length]).toEqual([
      result.finished,
      result.failed,
      result.rejected,
    ])
    expect(sum(of('finished').map((r) => r.transferredBytes))).toBe(result.transferredBytes)
    const ttft = records.filter((r) => r.ttftMs !== null).map((r) => r.ttftMs!)
    expect(sum(ttft) / ttft.length).toBeCloseTo(result.ttftMs.mean!, 1)
  })

  test('RequestRecorder: phases follow each other; who finished has closed them all', () => {
    for (const { status, phases, arrivedMs, endedMs, ttftMs, transferredBytes, outputTokens } of run.records) {
      const times = [arrivedMs, ...phases.flatMap((p) => [p.startMs, p.endMs ?? p.startMs]), endedMs]
      expect(times).toEqual([...times].sort((a, b) => a - b))
      if (status !== 'finished') continue
      const kinds = phases.map((p) => p.phase)
      const expected = outputTokens === 1
        ? ['prefill']
        : transferredBytes > 0
        ? ['prefill', 'transfer', 'decode']
        : ['prefill', 'decode']
      expect(kinds).toEqual(expected)
      expect(phases.every((p) => p.endMs !== null)).toBe(true)
      expect(phases[0]!.endMs).toBeCloseTo(arrivedMs + ttftMs!, 2)
      expect(phases.at(-1)!.endMs).toBe(endedMs)
    }
  })

  test('ChromeTrace: parses; spans close and do not overlap on their track; transfers begin and end', () => {
    const { traceEvents: events } = JSON.parse(run.chrome) as { traceEvents: TraceEvent[] }
    const tracks = new Map<string, TraceEvent[]>()
    for (const event of events.filter(({ ph }) => ph === 'X')) {
      const key = `${event.pid} ${event.tid}`
      tracks.set(key, [...(tracks.get(key) ?? []), event])
    }
    expect(tracks.size).toBe(16)
    for (const spans of tracks.values()) {
      spans.sort((a, b) => a.ts - b.ts)
      spans.slice(1).forEach((span, at) => expect(span.ts).toBeGreaterThanOrEqual(spans[at]!.ts + spans[at]!.dur!))
    }
    const ids = (ph: string) => events.filter((e) => e.ph === ph).map((e) => e.id).sort()
    expect(ids('b').length).toBeGreaterThan(100)
    expect(ids('b')).toEqual(ids('e'))
    const moved = run.records.flatMap((r) => r.phases).filter((p) => p.phase === 'transfer')
    expect(ids('b')).toHaveLength(moved.length)
    const flips = events.filter(({ ph }) => ph === 'i')
    expect(flips).toHaveLength(run.result.flips)
    expect(flips[0]).toMatchObject({ name: 'prefill → decode', pid: 1, args: { reason: 'its turn' } })
    expect(events.filter(({ ph, name }) => ph === 'M' && name === 'process_name').map((e) => e.args!['name'])).toEqual(
      ['i0', 'i1', 'i2', 'i3', 'i4', 'i5', 'i6', 'i7'],
    )
    expect(new Set(events.filter(({ ph }) => ph === 'C').map(({ name }) => name))).toEqual(
      new Set(['tokens', 'KV tokens reserved', 'label']),
    )
  })

  test('SeriesRecorder: counts add up to the result', () => {
    const { counts, pools, labels, flips } = run.series
    const { offered, finished, rejected, failed, attainment } = run.result
    expect(Object.fromEntries(Object.entries(counts).map(([name, values]) => [name, sum(values)]))).toEqual({
      offered,
      finished,
      rejected,
      failed,
      flips: run.result.flips,
      met: Math.round(attainment * offered),
    })
    expect(flips).toHaveLength(run.result.flips)
    labels.forEach((_, at) => expect(sum(Object.values(pools).map((p) => p[at] ?? 0))).toBeCloseTo(8, 3))
  })
})

test('SeriesRecorder: a long run takes no more windows than a short one, and loses nothing', () => {
  const recorder = new SeriesRecorder(SLO)
  const long = synthetic('inverting-a:1000')
  const { result } = observe(named('arrow-v2', 'corrected', { observer: recorder }), long, 1)
  const { counts, windowMs, ttftMs } = recorder.series()
  expect(counts.offered.length).toBeLessThanOrEqual(480)
  expect(counts.offered.length).toBeGreaterThan(240)
  expect(windowMs * counts.offered.length).toBeGreaterThanOrEqual(long.atMs.at(-1)!)
  expect(sum(counts.offered)).toBe(result.offered)
  expect(sum(counts.finished)).toBe(result.finished)
  expect(Math.max(...ttftMs.p99.map((v) => v ?? 0))).toBeGreaterThan(result.ttftMs.p99!)
})

test('a dead instance carries no label while it is dead: a gap in its row', () => {
  const series = new SeriesRecorder(SLO)
  const faults = [readFault('death:i0:10000:10000')]
  const { result } = observe(setUp({ policy: policyOf('static'), observer: series, faults }), trace)
  const { windowMs, labels, pools } = series.series()
  const rowOf = (atMs: number) => labels[Math.floor(atMs / windowMs)]!
  expect([5_000, 15_000, 25_000].map((atMs) => rowOf(atMs)[0])).toEqual([rowOf(0)[0], DEAD, rowOf(0)[0]])
  expect(pools.prefill[Math.floor(15_000 / windowMs)]).toBe(3)
  const page = reportPage({
    ...{ trace: 't', profile: '8b', slo: SLO, command: 'c' },
    runs: [{ policy: 'static', result: { ...result, labels: '4P4D', rate: 1 }, series: series.series() }],
  })
  const strip = page.slice(page.indexOf('Label of each instance'), page.indexOf('Requests a second'))
  expect(strip.match(/<rect/g), 'one each, and one more after the gap').toHaveLength(9)
})

test('reportPage() keeps names from being markup', () => {
  const series = new SeriesRecorder(SLO)
  const { result } = observe(setUp({ policy: policyOf('static'), observer: series, profile: profileOf('8b') }), trace)
  const evil = '</script><b>&"'
  const page = reportPage({
    trace: evil,
    profile: evil,
    slo: SLO,
    command: evil,
    runs: [{ policy: evil, result: { ...result, labels: evil, rate: 1 }, series: series.series() }],
  })
  expect(page).not.toContain(evil)
  expect(page.match(/<\/script>/g)).toHaveLength(2)
  expect(page).not.toMatch(/NaN|undefined|Infinity/)
})

describe('volley sim', () => {
  const LOAD = ['--trace', 'synthetic:inverting-a:50', '--slo', 'ttft=3000,tpot=50', '--rate', '4']

  test('--report and --chrome-trace write the same bytes for the same flags; the page says how it was made', async () => {
    const folder = await temporaryDirectory()
    const files = ['a', 'b'].map((name) => [join(folder, `${name}.html`), join(folder, `${name}.json`)] as const)
    for (const [html, json] of files) {
      await runCommand(command, [...LOAD, '--policy', 'arrow-v2', '--report', html, '--chrome-trace', json])
    }
    const [[html, json], [again, jsonAgain]] = files as [readonly [string, string], readonly [string, string]]
    expect(readFileSync(again, 'utf8')).toBe(readFileSync(html, 'utf8'))
    expect(readFileSync(jsonAgain, 'utf8')).toBe(readFileSync(json, 'utf8'))
    expect(readFileSync(html, 'utf8')).toContain(
      'volley sim --trace synthetic:inverting-a:50 --policy arrow-v2 --slo ttft=3000,tpot=50 --rate 4</pre>',
    )
    expect(readFileSync(html, 'utf8')).not.toMatch(/(?:src|href)="?https?:/)
    expect(JSON.parse(readFileSync(json, 'utf8'))).toHaveProperty('traceEvents')
  })

  test.each([
    [['--policy', 'static,arrow-v2', '--chrome-trace', 'x.json'], /--chrome-trace shows one policy, 2 are compared/],
    [['--policy', 'static', '--report', '/dev/null/x.html'], /Cannot write --report \/dev\/null\/x.html/],
  ])('%j is refused', async (args, message) => {
    const error = toVolleyError(await runCommand(command, [...LOAD, ...args]).catch((thrown: unknown) => thrown))
    expect(error.toLine()).toMatch(message)
  })
})
