/**
 * How a report looks, light and dark, and the cursor that tells a chart's values: text that goes into the page.
 * @module
 */
import { WIDTH } from './report-chart.ts'

export const STYLE = `
:root { color-scheme: light dark; --bg: #fcfcfb; --ink: #1c1c1a; --soft: #62615c; --line: #e3e2dd; --panel: #f4f3ef;
  --prefill: #2a6fdb; --decode: #d9730d; --encode: #1c8f6e; --encode-prefill: #1b87a8;
  --prefill-decode: #8a5cc4; --encode-decode: #b89b1e; --unlabelled: #a3a29b; --met: #1c8f6e; --offered: #a3a29b;
  --p50: #8fb4ee; --p90: #2a6fdb; --p99: #12366f; --limit: #c4372b }
@media (prefers-color-scheme: dark) { :root { --bg: #191918; --ink: #ecebe6; --soft: #a5a49d; --line: #34332f;
  --panel: #232321; --prefill: #5b97f0; --decode: #ee9545; --encode: #3fb893; --encode-prefill: #3fb4d6;
  --prefill-decode: #b08ae6; --encode-decode: #d9bf4d; --unlabelled: #7b7a74; --met: #3fb893;
  --offered: #7b7a74; --p50: #3d5f99; --p90: #6fa3f2; --p99: #cfe0fb; --limit: #ee6a5e } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 24px 20px 48px; max-width: 1040px; background: var(--bg); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 24px; margin: 0 } h2 { font-size: 20px; margin: 40px 0 12px; padding-top: 16px;
  border-top: 1px solid var(--line) } h3 { font-size: 15px; margin: 24px 0 8px } h2 small { color: var(--soft);
  font-weight: 400; font-size: 14px }
header p, .quiet, footer p { color: var(--soft); margin: 4px 0 12px } a { color: inherit }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 8px; margin-bottom: 16px }
.tiles div { background: var(--panel); border-radius: 6px; padding: 8px 12px } .tiles span, .tiles small {
  display: block; color: var(--soft); font-size: 12px } .tiles b { font-size: 20px; font-weight: 600 }
figure { margin: 20px 0 0 } figcaption { display: flex; flex-wrap: wrap; gap: 4px 16px; font-weight: 600;
  font-size: 14px; padding-left: 8px } .legend { display: flex; flex-wrap: wrap; gap: 4px 14px; font-weight: 400;
  color: var(--soft) } i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px }
svg { display: block; width: 100%; height: auto; overflow: visible } .grid { stroke: var(--line) }
.tick { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums } .cursor { stroke: var(--soft); visibility: hidden } .cursor.on { visibility: visible }
.limit { stroke: var(--limit); stroke-dasharray: 5 4 } .line { fill: none; stroke-width: 1.6; stroke-linejoin: round;
  stroke-linecap: round } .area { stroke: var(--bg); stroke-width: .5 }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums } th, td {
  text-align: left; padding: 3px 12px 3px 0; border-bottom: 1px solid var(--line) } th { color: var(--soft);
  font-weight: 400; position: sticky; top: 0; background: var(--bg) }
.scroll { max-height: 320px; overflow: auto } pre { background: var(--panel); padding: 10px 12px; border-radius: 6px;
  overflow: auto; white-space: pre-wrap; font-size: 13px }
#tip { position: fixed; pointer-events: none; background: var(--bg); border: 1px solid var(--line); border-radius: 6px;
  padding: 6px 10px; font-size: 12px; box-shadow: 0 2px 8px #0003; font-variant-numeric: tabular-nums }
${
  [
    'encode',
    'encode-prefill',
    'prefill',
    'prefill-decode',
    'encode-decode',
    'decode',
    'unlabelled',
    'met',
    'offered',
    'p50',
    'p90',
    'p99',
  ].map((tone) =>
    `.area.${tone} { fill: var(--${tone}) } .line.${tone} { stroke: var(--${tone}) } i.${tone} { background: var(--${tone}) }`
  ).join('\n')
}
@media print { #tip { display: none } .scroll { max-height: none } }
`

/** Plain browser JavaScript: a cursor over the charts of one run, with the values under it. */
export const SCRIPT = `
const { runs } = JSON.parse(document.getElementById('data').textContent)
const tip = document.getElementById('tip')
const columns = {
  pools: (s) => s.pools, flow: (s) => ({ offered: s.counts.offered, 'in both targets': s.counts.met }),
  tiles: (s) => ({ tiles: s.gauges.encodeTiles }), waiting: (s) => ({ tokens: s.gauges.prefillTokens }), resident: (s) => ({ tokens: s.gauges.decodeTokens }),
  ttft: (s) => s.ttftMs, tpot: (s) => s.tpotMs, labels: (s) => s.pools,
}
for (const svg of document.querySelectorAll('svg')) {
  const [run, name] = svg.dataset.chart.split('.')
  const { series } = runs[run]
  const windows = series.counts.offered.length
  const cursors = svg.closest('section').querySelectorAll('.cursor')
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect()
    const { left, right } = svg.dataset
    const share = ((event.clientX - box.left) / box.width * ${WIDTH} - left) / (right - left)
    if (share < 0 || share >= 1) return
    const at = Math.floor(share * windows)
    for (const line of cursors) {
      line.classList.add('on')
      line.x1.baseVal.value = line.x2.baseVal.value = +left + (at + .5) / windows * (right - left)
    }
    const rows = Object.entries(columns[name](series)).filter(([, values]) => values[at] !== null && values[at] !== 0)
    tip.replaceChildren(...[(at * series.windowMs / 1000).toFixed(1) + ' s', ...rows.map(([k, v]) => k + ' ' + v[at])]
      .map((text) => Object.assign(document.createElement('div'), { textContent: text })))
    tip.hidden = false
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px'
    tip.style.top = event.clientY + 14 + 'px'
  })
  svg.addEventListener('pointerleave', () => {
    tip.hidden = true
    for (const line of cursors) line.classList.remove('on')
  })
}
`
