/**
 * What a command writes: data to stdout, everything for people's eyes to stderr; with `--json` one object a line.
 * @module
 */
import process from 'node:process'

/** Where a command writes. */
export interface Output {
  readonly json: boolean
  /** One record: as JSON, or as `text` where people read. */
  data(record: Record<string, unknown>, text: string): void
  /** Records as a table for people, as lines of JSON for programs. */
  table(records: readonly Record<string, unknown>[], columns: readonly string[]): void
  /** Raw text to stdout, as it is: a model's answer. */
  write(text: string): void
  /** A line for people. */
  note(text: string): void
}

/** Output to the process's own streams. */
export function standardOutput(json: boolean): Output {
  const out = (text: string) => void process.stdout.write(text)
  return {
    json,
    data: (record, text) => out(`${json ? JSON.stringify(record) : text}\n`),
    table(records, columns) {
      out(json ? records.map((record) => `${JSON.stringify(record)}\n`).join('') : renderTable(records, columns))
    },
    write: out,
    note: (text) => void process.stderr.write(`${text}\n`),
  }
}

/** Columns aligned, numbers to the right; the header alone when there is nothing. */
export function renderTable(records: readonly Record<string, unknown>[], columns: readonly string[]): string {
  const cell = (value: unknown) => (value === undefined || value === null ? '' : String(value))
  const lines = [columns.map((name) => name.toUpperCase()), ...records.map((r) => columns.map((name) => cell(r[name])))]
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  const isNumber = columns.map((name) => records.length > 0 && records.every((r) => typeof r[name] === 'number'))
  const pad = (text: string, i: number) => (isNumber[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))
  return lines.map((line) => line.map(pad).join('  ').trimEnd() + '\n').join('')
}
