/**
 * Request traces from files, streamed in batches of rows: CSV with `arrival_s,input_tokens,output_tokens`, Azure's
 * `TIMESTAMP,ContextTokens,GeneratedTokens`, or Mooncake's JSON lines; gzip or not. Times count from the first row's
 * epoch: a file of absolute times starts at 0.
 * @module
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { VolleyError } from '../errors.ts'

/** One request that arrives. */
export interface Arrival {
  atMs: number
  input: number
  output: number
  /** Tiles of each of its images, whose tokens are in `input`. @default {none} */
  images?: readonly number[]
}

type ReadRow = (line: string) => Arrival

/** Rows of a file, some at a time, in order of arrival. Errors: `invalid_flag` naming the line that cannot be read. */
export async function* readTrace(file: string): AsyncGenerator<Arrival[]> {
  const wrong = (what: string) =>
    new VolleyError('invalid_flag', `Cannot read trace ${file}: ${what}`, {
      param: 'trace',
      remedy: 'give CSV with the columns arrival_s,input_tokens,output_tokens, or Mooncake JSON lines, plain or gzip',
    })
  const info = await stat(file).catch((error: Error) => {
    throw wrong(error.message)
  })
  if (!info.isFile()) throw wrong('it is not a file')
  let read: ReadRow | undefined
  let number = 0
  let lastMs = 0
  for await (const lines of linesOf(file, wrong)) {
    const rows: Arrival[] = []
    for (const raw of lines) {
      number++
      const line = raw.trim()
      if (line === '') continue
      if (read === undefined) {
        read = line.startsWith('{') ? mooncakeRow : csvReader(line)
        if (read === undefined) throw wrong(`its first line "${line.slice(0, 60)}" names no known columns`)
        if (!line.startsWith('{')) continue
      }
      const row = read(line)
      if (!isSound(row)) {
        throw wrong(`line ${number} "${line.slice(0, 60)}" is not a time and two token counts of at least 1`)
      }
      if (row.atMs < lastMs) throw wrong(`line ${number} arrives before the line above it`)
      lastMs = row.atMs
      rows.push(row)
    }
    yield rows
  }
  if (read === undefined) throw wrong('it is empty')
}

/** Lines of a file, some at a time, unpacked where it is gzip. */
export async function* linesOf(file: string, wrong: (what: string) => Error): AsyncGenerator<string[]> {
  const raw = createReadStream(file)
  const gunzip = file.endsWith('.gz') ? createGunzip() : undefined
  // A broken file must end the reading of what was unpacked from it.
  if (gunzip) raw.on('error', (error) => gunzip.destroy(error)).pipe(gunzip)
  let rest = ''
  try {
    for await (const chunk of (gunzip ?? raw).setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n')
      rest = lines.pop() ?? ''
      yield lines
    }
  } catch (error) {
    throw (error as { code?: string }).code?.startsWith('Z_') ? wrong((error as Error).message) : error
  } finally {
    raw.destroy()
    gunzip?.destroy()
  }
  yield [rest]
}

function mooncakeRow(line: string): Arrival {
  try {
    const row = JSON.parse(line) as { timestamp?: number; input_length?: number; output_length?: number }
    return { atMs: row.timestamp ?? NaN, input: row.input_length ?? NaN, output: row.output_length ?? NaN }
  } catch {
    return { atMs: NaN, input: NaN, output: NaN }
  }
}

/** By the header's names. */
function csvReader(header: string): ReadRow | undefined {
  const names = header.split(',').map((name) => name.trim())
  const at = (...known: string[]) => names.findIndex((name) => known.includes(name))
  const [seconds, stamp] = [at('arrival_s', 'timestamp_s'), at('TIMESTAMP')]
  const input = at('input_tokens', 'request_tokens', 'ContextTokens')
  const output = at('output_tokens', 'response_tokens', 'GeneratedTokens')
  if ((seconds < 0 && stamp < 0) || input < 0 || output < 0) return undefined
  const count = (text: string | undefined) => (text === undefined || text.trim() === '' ? NaN : Number(text))
  let epochMs: number | undefined
  return (line) => {
    const cells = line.split(',')
    let atMs = count(cells[seconds]) * 1_000
    if (seconds < 0) {
      const ms = stampMs(cells[stamp] ?? '')
      epochMs ??= ms
      atMs = ms - epochMs
    }
    return { atMs, input: count(cells[input]), output: count(cells[output]) }
  }
}

/** `YYYY-MM-DD HH:MM:SS.fffffff`, with more digits than Date keeps. */
function stampMs(text: string): number {
  const [whole = '', fraction = '0'] = text.split('.')
  return Date.parse(`${whole.replace(' ', 'T')}Z`) + Number(`0.${fraction}`) * 1_000
}

const isSound = ({ atMs, input, output }: Arrival): boolean =>
  atMs >= 0 && Number.isInteger(input) && input >= 1 && Number.isInteger(output) && output >= 1
