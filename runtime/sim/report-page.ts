/**
 * A run, or several over the same load, as one page that needs nothing else: figures, charts over time, flips with
 * their reasons, and the command that makes it again. The same input makes the same bytes.
 * @module
 */
import { escape, labelStrip, type Line, lineChart, short } from './report-chart.ts'
import { DEAD, type FlipRecord, POOLS, type RunSeries } from './report-series.ts'
import { SCRIPT, STYLE } from './report-style.ts'
import type { Slo } from '../policy/policy.ts'
import type { RunResult } from './run.ts'

/** One policy's run. */
export interface ReportRun {
  policy: string
  result: RunResult
  series: RunSeries
}

export interface Report {
  trace: string
  profile: string
  slo: Slo
  /** What makes this page again. */
  command: string
  runs: readonly ReportRun[]
}

const TONES = ['p50', 'p90', 'p99'] as const

/** The whole page. */
export function reportPage(report: Report): string {
  const { trace, profile, slo, command, runs } = report
  const targets = [['TTFT', slo.ttftMs], ['TPOT', slo.tpotMs]].filter(([, ms]) => Number.isFinite(ms))
    .map(([name, ms]) => `${name} ≤ ${ms} ms`).join(', ')
  const data = { trace, profile, command, runs: runs.map(({ policy, result, series }) => ({ policy, result, series })) }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>volley sim: ${escape(trace)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(trace)}</h1>
<p>Simulated on profile <b>${escape(profile)}</b>${targets ? `, targets ${targets}` : ''}. Times are virtual.</p>
${runs.length > 1 ? comparison(runs) : ''}
</header>
<main>
${runs.map((run, at) => section(run, at, slo)).join('\n')}
</main>
<footer><p>Made by</p><pre>${escape(command)}</pre></footer>
<div id="tip" hidden></div>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${SCRIPT}</script>
</body>
</html>
`
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const ms = (value: number | null): string =>
  value === null ? '–' : value < 1_000 ? `${short(value)} ms` : `${Number((value / 1_000).toPrecision(3))} s`

function comparison(runs: readonly ReportRun[]): string {
  const row = ({ policy, result: r }: ReportRun, at: number) =>
    `<tr><td><a href="#run${at}">${escape(policy)}</a></td><td>${escape(r.labels)}</td><td>${short(r.rate)}</td>` +
    `<td>${percent(r.attainment)}</td><td>${ms(r.ttftMs.p90)}</td><td>${ms(r.tpotMs.p90)}</td><td>${r.flips}</td></tr>`
  return `<table><thead><tr><th>policy</th><th>set-up</th><th>rate</th><th>in both targets</th><th>TTFT p90</th>` +
    `<th>TPOT p90</th><th>flips</th></tr></thead><tbody>${runs.map(row).join('')}</tbody></table>`
}

function section({ policy, result, series }: ReportRun, at: number, slo: Slo): string {
  const { windowMs, counts, gauges, pools, instances, labels, ttftMs, tpotMs, flips } = series
  const windows = counts.offered.length
  const frame = (name: string, height: number) => ({ id: `${at}.${name}`, height, windowMs, windows })
  const present = POOLS.filter((pool) => pools[pool].some((n) => n !== null && n > 0))
  const poolLines = present.map((pool) => ({ name: pool, tone: toneOf(pool), values: filled(pools[pool]) }))
  const percentiles = (of: RunSeries['ttftMs']): Line[] => TONES.map((p) => ({ name: p, tone: p, values: of[p] }))
  const limit = (value: number) => (Number.isFinite(value) ? { value, name: 'target' } : undefined)
  const perSecond = (values: number[]) => values.map((n) => n / windowMs * 1_000)
  const figure = (title: string, lines: readonly Line[], chart: string) =>
    `<figure><figcaption>${title}${lines.length > 1 ? legend(lines) : ''}</figcaption>${chart}</figure>`
  const one = (name: string, tone: string, values: readonly (number | null)[]): Line[] => [{ name, tone, values }]
  const flow: Line[] = [
    { name: 'offered', tone: 'offered', values: perSecond(counts.offered) },
    { name: 'finished in both targets', tone: 'met', values: perSecond(counts.met) },
  ]
  const tilesWaiting = one('tiles', 'encode', gauges.encodeTiles)
  const encodes = gauges.encodeTiles.some((n) => n !== null && n > 0)
  const waiting = one('tokens', 'prefill', gauges.prefillTokens)
  const resident = one('tokens', 'decode', gauges.decodeTokens)
  return `<section id="run${at}">
<h2>${escape(policy)} <small>${escape(result.labels)}, rate ${short(result.rate)}</small></h2>
${tiles(result)}
${
    figure(
      'Instances by label',
      poolLines,
      lineChart({ ...frame('pools', 150), lines: poolLines, stacked: true }, 'instances by label'),
    )
  }
${
    figure(
      'Label of each instance',
      [],
      labelStrip(frame('labels', 0), instances, labels, (digit) => digit === DEAD ? undefined : toneOf(POOLS[Number(digit)]!)),
    )
  }
${figure('Requests a second', flow, lineChart({ ...frame('flow', 150), lines: flow }, 'requests a second'))}
${
    encodes
      ? figure(
        'Tiles waiting for encode',
        tilesWaiting,
        lineChart({ ...frame('tiles', 130), lines: tilesWaiting }, 'tiles waiting for encode'),
      )
      : ''
  }
${
    figure(
      'Tokens waiting for prefill',
      waiting,
      lineChart({ ...frame('waiting', 130), lines: waiting }, 'tokens waiting for prefill'),
    )
  }
${figure('Tokens in decode', resident, lineChart({ ...frame('resident', 130), lines: resident }, 'tokens in decode'))}
${
    figure(
      'TTFT, ms',
      percentiles(ttftMs),
      lineChart({ ...frame('ttft', 190), lines: percentiles(ttftMs), log: true, limit: limit(slo.ttftMs) }, 'TTFT'),
    )
  }
${
    figure(
      'TPOT, ms',
      percentiles(tpotMs),
      lineChart({ ...frame('tpot', 190), lines: percentiles(tpotMs), log: true, limit: limit(slo.tpotMs) }, 'TPOT'),
    )
  }
${flipTable(flips, result.flips)}
</section>`
}

/** A pool is what it was until it is sampled again. */
function filled(values: readonly (number | null)[]): number[] {
  let last = values.find((v) => v !== null) ?? 0
  return values.map((v) => (last = v ?? last))
}

/** Class that colours a label. */
const toneOf = (label: string): string => label.replace('+', '-')

const legend = (lines: readonly Line[]): string =>
  `<span class="legend">${
    lines.map(({ name, tone }) => `<span><i class="${tone}"></i>${escape(name)}</span>`).join('')
  }</span>`

function tiles(r: RunResult): string {
  const of: [string, string, string][] = [
    ['in both targets', percent(r.attainment), `of ${r.offered} offered`],
    ['finished', String(r.finished), `${r.rejected} rejected, ${r.failed} failed`],
    ['TTFT p90', ms(r.ttftMs.p90), `mean ${ms(r.ttftMs.mean)}, p99 ${ms(r.ttftMs.p99)}`],
    ['TPOT p90', ms(r.tpotMs.p90), `mean ${ms(r.tpotMs.mean)}, p99 ${ms(r.tpotMs.p99)}`],
    ['flips', String(r.flips), `${r.preempted} preempted`],
    [
      'moved',
      `${Number((r.transferredBytes / 1e9).toPrecision(3)).toLocaleString('en')} GB`,
      'of KV between instances',
    ],
  ]
  if (r.goodput) of.unshift(['goodput', `${short(r.goodput.rate)} ×`, `fails at ${r.goodput.failingRate ?? 'none'}`])
  return `<div class="tiles">${
    of.map(([name, value, more]) => `<div><span>${name}</span><b>${value}</b><small>${more}</small></div>`).join('')
  }</div>`
}

function flipTable(flips: readonly FlipRecord[], total: number): string {
  if (total === 0) return '<p class="quiet">No label changed.</p>'
  const row = ({ atMs, instance, from, to, reason }: FlipRecord) =>
    `<tr><td>${(atMs / 1_000).toFixed(1)} s</td><td>${escape(instance)}</td><td><i class="${
      toneOf(from)
    }"></i>${from} → ` +
    `<i class="${toneOf(to)}"></i>${to}</td><td>${escape(reason)}</td></tr>`
  const more = total > flips.length ? `, the first ${flips.length} shown` : ''
  return `<h3>${total} flips${more}</h3><div class="scroll"><table><thead><tr><th>at</th><th>instance</th>` +
    `<th>label</th><th>reason</th></tr></thead><tbody>${flips.map(row).join('')}</tbody></table></div>`
}
