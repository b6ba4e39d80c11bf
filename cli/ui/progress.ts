/**
 * Progress as one redrawn line on stderr; where stderr is no terminal, a line at the end of each step and no more.
 * Nothing is shown of what takes less than a moment.
 * @module
 */
import process from 'node:process'
import type { Progress } from '../../runtime/fetch/progress.ts'

const QUIET_MS = 700
const REDRAW_MS = 100

/** Progress for people. */
export function terminalProgress(): Progress {
  const { stderr } = process
  let label = ''
  let total: number | undefined
  let began = 0
  let drawn = 0
  const clear = () => {
    if (drawn > 0 && stderr.isTTY) stderr.write('\r\x1b[K')
    drawn = 0
  }
  return {
    begin(text, totalBytes) {
      clear()
      label = text
      total = totalBytes
      began = performance.now()
    },
    at(bytes) {
      const now = performance.now()
      if (!stderr.isTTY || now - began < QUIET_MS || now - drawn < REDRAW_MS) return
      drawn = now
      const rate = bytes / ((now - began) / 1000)
      const share = total ? ` ${Math.floor((100 * bytes) / total)} %` : ''
      stderr.write(`\r\x1b[K${label}${share}  ${formatBytes(bytes)}  ${formatBytes(rate)}/s`)
    },
    end(note) {
      clear()
      stderr.write(`${note}\n`)
    },
  }
}

/** `1.4 MB`: decimal units, two or three digits. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`
}
