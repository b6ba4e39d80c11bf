/**
 * `volley bench engine`: tokens a second of one engine on its own thread, prefill and decode apart, through the engine
 * port as an instance uses it (sampling included, greedy). With a competitor both run in turns, and a ratio is printed.
 *
 *     volley bench engine [--model PATH] [--engine wasm|cpu|tensorflow|prefill:tensorflow,decode:wasm] [--threads 1,2]
 *                         [--prompt 512] [--tokens 128] [--batch 1,8] [--tiles 8] [--repeats 3] [--compare tfjs] [--json]
 *
 * Of a model that sees, tiles a second too: `--tiles` in one call beside as many one by one.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { toEngines } from './engine-names.ts'
import { decode, DECODE_PROMPT, encode, prefill } from './engine-runs.ts'
import { benchFlags, count, counts, print, quantile, round } from './flags.ts'
import { machine } from './machine.ts'
import { tensorflowEnvironment } from '../runtime/engine/native/environment.ts'
import type { MatMulRate } from '../runtime/engine/tfjs/tensorflow/mat-mul-rate.ts'
import type { EngineThread } from '../runtime/engine/worker/client.ts'
import { startEngine } from '../runtime/engine/worker/start.ts'
import { VolleyError } from '../runtime/errors.ts'
import { lastLine, runCommand } from '../runtime/fetch/command.ts'
import { locateModel } from '../runtime/models/locate.ts'
import { projectRoot, selfCommand } from '../runtime/platform.ts'

/** Rows of the loop's chunks, with which the raw products are measured too. */
const CHUNK = 256

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, {
    model: process.env['VOLLEY_MODEL'] ?? '', engine: 'wasm', threads: '1', prompt: '512', tokens: '128', batch: '1,8',
    tiles: '8', repeats: '3', compare: '',
  })
  const engines = toEngines(flags.engine)
  const native = Object.values(engines).includes('tensorflow')
  const threadCounts = counts('threads', flags.threads)
  if (native && threadCounts.length > 1) return await eachInItsOwnProcess(argv, threadCounts)
  if (flags.compare !== '' && flags.compare !== 'tfjs') {
    throw new VolleyError('invalid_flag', `Cannot compare with "${flags.compare}"`, { param: 'compare', remedy: '--compare tfjs' })
  }
  const path = await locateModel(flags.model === '' ? undefined : flags.model)
  const batches = counts('batch', flags.batch)
  const repeats = count('repeats', flags.repeats)
  print(json, await machine())
  for (const asked of threadCounts) {
    const threads = native ? asked : 1
    if (threads !== asked) process.stderr.write(`--threads ${asked}: stock ${flags.engine} kernels compute on one thread; the figures below are of one\n`)
    const sizes = { maxBatch: Math.max(...batches), chunkTokens: CHUNK }
    const ours = await startEngine({ load: { modelPath: path, ...engines, threads }, ...sizes })
    const theirs = flags.compare === '' ? undefined : await startEngine({ load: { modelPath: path, backend: 'wasm' }, ...sizes })
    try {
      const { contextLength } = ours.info
      const prompt = Math.min(count('prompt', flags.prompt), contextLength - 1)
      const tokens = Math.min(count('tokens', flags.tokens), contextLength - DECODE_PROMPT - 1)
      const figure = { bench: 'engine', dtype: 'f32', threads, repeats }
      const show = (phase: string, batch: number, length: number, [own, other]: Both) => {
        const figures = [own, ...(other ? [other] : [])].map((ms) => round((length * batch) / (quantile(ms, 0.5) / 1000), 1))
        const names = [ours.info.backend, 'tfjs']
        figures.forEach((tokensPerSecond, i) =>
          print(json, { ...figure, engine: names[i], phase, batch, tokens: length, tokensPerSecond }))
        const [first = NaN, second] = figures
        if (second !== undefined) print(json, { bench: 'ratio', phase, batch, threads, ours: first, theirs: second, ratio: round(first / second, 2) })
        return first
      }
      const rates: MatMulRate[] = []
      const prefills = await inTurns([ours, theirs], repeats, async (engine, run) => {
        if (native && engine === ours && run >= 0) rates.push(await matMulRate(path, threads))
        return await prefill(engine, prompt, run)
      })
      const tokensPerSecond = show('prefill', 1, prompt, prefills)
      if (rates.length > 0) print(json, share(rates, tokensPerSecond, threads))
      for (const batch of batches) {
        show('decode', batch, tokens, await inTurns([ours, theirs], repeats, (engine, run) => decode(engine, batch, tokens, run)))
      }
      if (ours.encode) await encodes(ours, counts('tiles', flags.tiles), repeats, (line) => print(json, { ...figure, ...line }))
    } finally {
      await ours.close()
      await theirs?.close()
    }
  }
}

/** Tiles a second, grouped and one by one, turn by turn. The encoder may compute elsewhere than prompts do. */
async function encodes(
  engine: EngineThread,
  tileCounts: readonly number[],
  repeats: number,
  show: (figure: Record<string, unknown>) => void,
): Promise<void> {
  const { numerics = '' } = engine.info.vision ?? {}
  for (const tiles of tileCounts) {
    const times: Record<'together' | 'apart', number[]> = { together: [], apart: [] }
    for (let run = -1; run < repeats; run++) {
      const [together, apart] = [await encode(engine, tiles, tiles, run), await encode(engine, tiles, 1, run)]
      if (run < 0) continue
      times.together.push(together)
      times.apart.push(apart)
    }
    const perSecond = (ms: number[]) => round(tiles / (quantile(ms, 0.5) / 1000), 1)
    const [together, apart] = [perSecond(times.together), perSecond(times.apart)]
    show({ phase: 'encode', encoder: numerics.split('/').at(-1), tiles, tilesPerSecond: together, oneByOne: apart, ratio: round(together / apart, 2) })
  }
}

/** Milliseconds of our runs and of the competitor's, if there is one. */
type Both = [ours: number[], theirs?: number[]]

/** One run each to warm up, then turn by turn: what disturbs the machine meanwhile disturbs both. */
async function inTurns(
  engines: readonly [EngineThread, EngineThread | undefined],
  repeats: number,
  work: (engine: EngineThread, run: number) => Promise<number>,
): Promise<Both> {
  const there = engines.filter((engine) => engine !== undefined)
  const times = there.map((): number[] => [])
  for (let run = -1; run < repeats; run++) {
    for (const [i, engine] of there.entries()) {
      const ms = await work(engine, run)
      if (run >= 0) times[i]?.push(ms)
    }
  }
  return times as Both
}

/** The library's own rate, in a process of its own with as many threads. */
async function matMulRate(path: string, threads: number): Promise<MatMulRate> {
  const program = new URL('../runtime/engine/tfjs/tensorflow/mat-mul-rate.ts', import.meta.url)
  const { command, args } = selfCommand(program, [path, String(CHUNK)])
  const { code, output } = await runCommand(command, args, { timeoutMs: 120_000, env: tensorflowEnvironment(threads) })
  const [json] = /^\{"gigaflops".*\}$/m.exec(output) ?? []
  if (json === undefined) throw new VolleyError('engine_failed', `The raw products could not be measured (${code}): ${lastLine(output)}`)
  return JSON.parse(json) as MatMulRate
}

/** How much of the raw rate a prefill reaches, counting its products with weights alone. */
function share(rates: readonly MatMulRate[], tokensPerSecond: number, threads: number): Record<string, unknown> {
  const raw = quantile(rates.map(({ gigaflops }) => gigaflops), 0.5)
  const used = (tokensPerSecond * (rates[0]?.flopsPerToken ?? NaN)) / 1e9
  return { bench: 'matmul', threads, gigaflops: round(raw, 1), prefillGigaflops: round(used, 1), share: round(used / raw, 2) }
}

/** The library reads its number of threads once a process. */
async function eachInItsOwnProcess(argv: readonly string[], threadCounts: readonly number[]): Promise<void> {
  for (const threads of threadCounts) {
    const { command, args } = selfCommand(join(projectRoot, 'cli', 'main.ts'), ['bench', 'engine', ...argv, '--threads', String(threads)])
    const [code] = (await once(spawn(command, args, { stdio: 'inherit' }), 'exit')) as [number | null]
    if (code !== 0) throw new VolleyError('engine_failed', `The benchmark with ${threads} threads failed`)
  }
}
