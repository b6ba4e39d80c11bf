/**
 * What `volley sim` writes beside its lines: a record of every request, a Chrome trace, a page. Knows files; what goes
 * into them is made by runtime/sim.
 * @module
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { VolleyError } from '../../runtime/errors.ts'
import type { Slo } from '../../runtime/policy/mod.ts'
import {
  ChromeTrace,
  Observers,
  reportPage,
  type ReportRun,
  RequestRecorder,
  type RunResult,
  SeriesRecorder,
  type SimObserver,
} from '../../runtime/sim/mod.ts'
import type { Input } from '../command.ts'

/** Text is handed to the file in pieces of this size. */
const PIECE = 1 << 16

/** The run whose outputs are made. */
export interface Described {
  trace: string
  profile: string
  slo: Slo
  command: string
}

/** The outputs that were asked for. */
export class Outputs {
  private readonly input: Input
  private readonly run: Described
  private readonly report: string | undefined
  private readonly chrome: string | undefined
  private readonly runs: ReportRun[] = []

  constructor(input: Input, run: Described, policies: number) {
    this.input = input
    this.run = run
    this.report = input.text('report')
    this.chrome = input.text('chrome-trace')
    if (this.chrome !== undefined && policies > 1) {
      throw new VolleyError('invalid_flag', `--chrome-trace shows one policy, ${policies} are compared`, {
        param: 'chrome-trace',
        remedy: 'name one with --policy',
      })
    }
  }

  /** Watches one policy's run; nothing to watch, nothing said. */
  watch(policy: string): { observer: SimObserver | undefined; done(result: RunResult): void } {
    const { input, run } = this
    const watching: SimObserver[] = []
    const ends: ((result: RunResult) => void)[] = []
    if (input.has('requests')) {
      watching.push(
        new RequestRecorder((record) =>
          input.output.data({ sim: run.trace, policy, ...record }, requestLine({ ...record }))
        ),
      )
    }
    if (this.chrome !== undefined) {
      const file = textFile(this.chrome, 'chrome-trace')
      const trace = new ChromeTrace(file.write, `${run.trace}, ${policy}`)
      watching.push(trace)
      ends.push(() => {
        file.close()
        if (trace.omitted > 0) input.output.note(`${this.chrome}: ${trace.omitted} spans after the first are left out`)
      })
    }
    if (this.report !== undefined) {
      const recorder = new SeriesRecorder(run.slo)
      watching.push(recorder)
      ends.push((result) => void this.runs.push({ policy, result, series: recorder.series() }))
    }
    return {
      observer: watching.length > 0 ? new Observers(watching) : undefined,
      done: (result) => ends.forEach((end) => end(result)),
    }
  }

  /** Writes the page, if one was asked for. */
  finish(): void {
    if (this.report === undefined) return
    writing('report', this.report, (path) => writeFileSync(path, reportPage({ ...this.run, runs: this.runs })))
    this.input.output.note(`report: ${this.report}`)
  }
}

function requestLine(
  { request, status, arrivedMs, ttftMs, tpotMs, phases }: {
    request: number
    status: string
    arrivedMs: number
    ttftMs: number | null
    tpotMs: number | null
    phases: readonly { phase: string; instance: string; startMs: number }[]
  },
): string {
  const where = phases.map(({ phase, instance, startMs }) => `${phase} ${instance} at ${startMs}`).join(', ')
  return `request ${request} ${status}: arrived ${arrivedMs} ms, TTFT ${ttftMs ?? '–'}, TPOT ${tpotMs ?? '–'}; ${where}`
}

/** A file that is written piece by piece while the simulation runs: what it writes has no time to wait. */
function textFile(path: string, flag: string): { write(text: string): void; close(): void } {
  const handle = writing(flag, path, (file) => openSync(file, 'w'))
  let waiting: string[] = []
  let length = 0
  const flush = () => {
    const bytes = Buffer.from(waiting.join(''))
    for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at)
    waiting = []
    length = 0
  }
  return {
    write(text) {
      waiting.push(text)
      length += text.length
      if (length >= PIECE) flush()
    },
    close() {
      flush()
      closeSync(handle)
    },
  }
}

function writing<T>(flag: string, path: string, write: (path: string) => T): T {
  try {
    mkdirSync(dirname(path), { recursive: true })
    return write(path)
  } catch (error) {
    throw new VolleyError('invalid_flag', `Cannot write --${flag} ${path}: ${(error as Error).message}`, {
      param: flag,
      remedy: 'name a file in a folder that can be written to',
    })
  }
}

/** The command again, without what only says where to write. */
export function commandLine(input: Input, flags: readonly { name: string; hint?: string }[]): string {
  const words = flags.filter(({ name }) => !['report', 'chrome-trace', 'requests'].includes(name)).flatMap(
    ({ name, hint }) => {
      if (hint === undefined) return input.has(name) ? [`--${name}`] : []
      const text = input.text(name)
      return text === undefined ? [] : [`--${name}`, /^[\w./:=,@-]+$/.test(text) ? text : `'${text}'`]
    },
  )
  return ['volley sim', ...words].join(' ')
}
