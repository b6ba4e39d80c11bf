/**
 * `volley doctor`: what is here, what is missing and the command that mends it.
 * @module
 */
import process from 'node:process'
import pico from 'picocolors'
import type { Command } from '../command.ts'
import { findings } from '../doctor/checks.ts'
import type { Finding } from '../doctor/finding.ts'

const MARKS = { ok: pico.green('ok     '), absent: pico.yellow('absent '), missing: pico.red('missing') }
/** Something needed is missing. */
const MISSING = 3

/** `volley doctor`. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'What is installed, what is missing and the command that mends it, what will be used',
  flags: [{ name: 'quick', help: 'measure nothing: looks only' }],
  async run({ has, output }) {
    const found = await findings({ measured: !has('quick') })
    const width = Math.max(...found.map(({ check }) => check.length))
    for (const finding of found) output.data(finding, line(finding, width))
    if (found.some(({ status }) => status === 'missing')) process.exitCode = MISSING
  },
}

function line({ check, status, detail, remedy }: Finding, width: number): string {
  const mend = remedy === undefined ? '' : `\n${' '.repeat(width + 11)}to mend it: ${remedy}`
  return `${MARKS[status]}  ${check.padEnd(width)}  ${detail}${mend}`
}
