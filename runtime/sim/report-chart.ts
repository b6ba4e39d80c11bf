/**
 * Charts over time as SVG text: lines, stacked areas and strips of labels, on one width so that they line up. Colours
 * are the page's; a chart knows only class names.
 * @module
 */

export const WIDTH = 960
const LEFT = 64
const RIGHT = 16
const TOP = 10
const BOTTOM = 24

/** One column of a chart: a value a window; null = a gap. */
export interface Line {
  name: string
  /** Class that colours it. */
  tone: string
  values: readonly (number | null)[]
}

interface Frame {
  /** Id of the run and the chart, for the page's cursor. */
  id: string
  height: number
  windowMs: number
  windows: number
}

export interface LineChart extends Frame {
  lines: readonly Line[]
  /** Lines lie on top of each other as areas. */
  stacked?: boolean
  log?: boolean
  /** A horizontal line with its name. */
  limit?: { value: number; name: string } | undefined
}

/** Text that is safe between tags and in quotes. */
export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const fixed = (n: number): string => String(Number(n.toFixed(1)))

const x = ({ windows }: Frame, at: number): number => LEFT + (at / Math.max(1, windows)) * (WIDTH - LEFT - RIGHT)

/** A number as an axis shows it: 1200 -> 1.2k. */
export function short(value: number): string {
  const [scale, unit] = value >= 1e9 ? [1e9, 'G'] : value >= 1e6 ? [1e6, 'M'] : value >= 1e3 ? [1e3, 'k'] : [1, '']
  return `${Number((value / scale).toPrecision(3))}${unit}`
}

const clock = (ms: number): string => {
  const seconds = ms / 1_000
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`
  const minutes = seconds / 60
  return minutes < 120 ? `${Number(minutes.toFixed(1))} min` : `${Number((minutes / 60).toFixed(1))} h`
}

/** 1, 2 or 5 times a power of ten, at least `raw`. */
function niceStep(raw: number): number {
  const power = 10 ** Math.floor(Math.log10(raw))
  return power * [1, 2, 5, 10].find((n) => n * power >= raw * 0.999)!
}

/** Steps of time that people count in, in ms. */
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400]
  .map((seconds) => seconds * 1_000)

function timeAxis(frame: Frame): string {
  const total = frame.windows * frame.windowMs
  const step = TIMES.find((ms) => total / ms <= 9) ?? niceStep(total / 9)
  let out = ''
  for (let ms = 0; ms <= total; ms += step) {
    const at = fixed(x(frame, ms / frame.windowMs))
    out += `<text class="tick" text-anchor="middle" x="${at}" y="${frame.height - 6}">${clock(ms)}</text>`
  }
  return out
}

/** The y axis: ticks, and where a value lies. */
function scaleOf({ height, lines, stacked, log, limit }: LineChart) {
  const bottom = height - BOTTOM
  const span = bottom - TOP
  const values = lines.flatMap((line) => line.values.filter((v) => v !== null))
  const sums = stacked ? lines[0]!.values.map((_, at) => lines.reduce((sum, l) => sum + (l.values[at] ?? 0), 0)) : []
  const highest = values.concat(sums, limit ? [limit.value * 1.1] : []).reduce((a, b) => Math.max(a, b), 0) || 1
  if (!log) {
    const step = niceStep(highest / 4)
    const top = Math.ceil(highest / step) * step
    const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step)
    return { ticks, y: (value: number) => bottom - (value / top) * span }
  }
  const lowest = values.concat(limit ? [limit.value] : []).filter((v) => v > 0).reduce(
    (a, b) => Math.min(a, b),
    highest,
  )
  const from = Math.floor(Math.log10(lowest))
  const to = Math.max(from + 1, Math.ceil(Math.log10(highest)))
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
  const y = (value: number) =>
    bottom - (Math.min(to, Math.max(from, Math.log10(Math.max(value, 1e-9)))) - from) / (to - from) * span
  return { ticks, y }
}

/** A line with gaps where there is no value; a value alone between gaps is a dot. */
function linePath(frame: Frame, values: readonly (number | null)[], y: (value: number) => number): string {
  let out = ''
  values.forEach((value, at) => {
    if (value === null) return
    const point = `${fixed(x(frame, at + 0.5))} ${fixed(y(value))}`
    const goesOn = at > 0 && values[at - 1] !== null
    out += goesOn ? `L${point}` : `M${point}`
    if (!goesOn && (values[at + 1] ?? null) === null) out += 'h.1'
  })
  return out
}

/** Steps between two edges, one a window. */
function areaPath(frame: Frame, low: readonly number[], high: readonly number[], y: (value: number) => number): string {
  const edge = (values: readonly number[]) =>
    values.flatMap((v, at) => [`${fixed(x(frame, at))} ${fixed(y(v))}`, `${fixed(x(frame, at + 1))} ${fixed(y(v))}`])
  return `M${edge(high).join('L')}L${edge(low).reverse().join('L')}Z`
}

const svg = (frame: Frame, label: string, body: string): string =>
  `<svg viewBox="0 0 ${WIDTH} ${frame.height}" role="img" aria-label="${escape(label)}" data-chart="${frame.id}" ` +
  `data-left="${LEFT}" data-right="${WIDTH - RIGHT}">${body}<line class="cursor" y1="${TOP}" y2="${
    frame.height - BOTTOM
  }"/></svg>`

/** Lines or stacked areas over time. */
export function lineChart(chart: LineChart, label: string): string {
  const { ticks, y } = scaleOf(chart)
  let body = ''
  for (const tick of ticks) {
    const at = fixed(y(tick))
    body += `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`
    body += `<text class="tick" text-anchor="end" x="${LEFT - 8}" y="${at}" dy=".32em">${short(tick)}</text>`
  }
  if (chart.stacked) {
    let low = chart.lines[0]!.values.map(() => 0)
    for (const { values, tone } of chart.lines) {
      const high = low.map((v, at) => v + (values[at] ?? 0))
      body += `<path class="area ${tone}" d="${areaPath(chart, low, high, y)}"/>`
      low = high
    }
  } else {
    for (const { values, tone } of chart.lines) body += `<path class="line ${tone}" d="${linePath(chart, values, y)}"/>`
  }
  if (chart.limit) {
    const at = fixed(y(chart.limit.value))
    body += `<line class="limit" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`
    body += `<text class="tick" text-anchor="end" x="${WIDTH - RIGHT - 4}" y="${at}" dy="-.4em">${
      escape(chart.limit.name)
    }</text>`
  }
  return svg(chart, label, body + timeAxis(chart))
}

const ROW = 15

/** A row for each instance, coloured by its label over time; a gap where there is no tone. */
export function labelStrip(
  frame: Omit<Frame, 'height'>,
  instances: readonly string[],
  labels: readonly string[],
  toneOf: (digit: string) => string | undefined,
): string {
  const sized = { ...frame, height: TOP + instances.length * ROW + BOTTOM }
  let body = ''
  instances.forEach((id, row) => {
    const top = TOP + row * ROW
    body += `<text class="tick" text-anchor="end" x="${LEFT - 8}" y="${top + ROW / 2}" dy=".32em">${escape(id)}</text>`
    for (let from = 0; from < labels.length;) {
      const letter = labels[from]![row]
      let to = from + 1
      while (to < labels.length && labels[to]![row] === letter) to++
      const tone = letter === undefined ? undefined : toneOf(letter)
      if (tone !== undefined) {
        body += `<rect class="area ${tone}" x="${fixed(x(sized, from))}" y="${top + 1}" width="${
          fixed(x(sized, to) - x(sized, from))
        }" height="${ROW - 2}"/>`
      }
      from = to
    }
  })
  return svg(sized, 'label of each instance over time', body + timeAxis(sized))
}
