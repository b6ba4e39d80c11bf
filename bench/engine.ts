/**
 * `volley bench engine`: tokens a second of one engine on its own thread, prefill and decode apart, through the engine
 * port as an instance uses it (sampling included, greedy). With competitors all run in turns, and ratios are printed.
 *
 *     volley bench engine [--model PATH] [--engine wasm|cpu|tensorflow|prefill:tensorflow,decode:wasm] [--threads 1,2]
 *                         [--prompt 512] [--tokens 128] [--batch 1,8] [--tiles 8] [--repeats 3]
 *                         [--compare tfjs,node-llama-cpp] [--soak yes|gc] [--json]
 *
 * Of a model that sees, tiles a second too: `--tiles` in one call beside as many one by one.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { toEngines } from './engine-names.ts'
import { DECODE_PROMPT, encode, inTurns, type Runner, runnerOf } from './engine-runs.ts'
import { soak } from './engine-soak.ts'
import { benchFlags, count, counts, print, quantile, round } from './flags.ts'
import { llamaRunner } from './llama.ts'
import { machine } from './machine.ts'
import { isLibraryNoise, tensorflowEnvironment } from '../runtime/engine/native/environment.ts'
import type { MatMulRate } from '../runtime/engine/tfjs/tensorflow/mat-mul-rate.ts'
import type { EngineThread } from '../runtime/engine/worker/client.ts'
import { startEngine } from '../runtime/engine/worker/start.ts'
import { toVolleyError, VolleyError } from '../runtime/errors.ts'
import { lastLine, runCommand } from '../runtime/fetch/command.ts'
import { locateModel } from '../runtime/models/locate.ts'
import { projectRoot, selfCommand } from '../runtime/platform.ts'

/** Rows of the loop's chunks, with which the raw products are measured too. */
const CHUNK = 256
const COMPETITORS = ['tfjs', 'node-llama-cpp']
/** In the environment of a process that measures one number of threads. */
const ONE = 'VOLLEY_BENCH_ONE'

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, {
    model: process.env['VOLLEY_MODEL'] ?? '', engine: 'wasm', threads: '1', prompt: '512', tokens: '128', batch: '1,8',
    tiles: '8', repeats: '3', compare: '', soak: '',
  })
  const engines = toEngines(flags.engine)
  const native = Object.values(engines).includes('tensorflow')
  const threadCounts = counts('threads', flags.threads)
  const competitors = flags.compare.split(',').filter(Boolean)
  for (const name of competitors.filter((name) => !COMPETITORS.includes(name))) {
    throw new VolleyError('invalid_flag', `Cannot compare with "${name}"`, { param: 'compare', remedy: `--compare ${COMPETITORS.join(',')}` })
  }
  const batches = counts('batch', flags.batch)
  const repeats = count('repeats', flags.repeats)
  if (native && process.env[ONE] === undefined) return await eachInItsOwnProcess(argv, threadCounts)
  const path = await locateModel(flags.model === '' ? undefined : flags.model)
  print(json, await machine())
  if (flags.soak !== '') return await soak(flags.soak, json, path, engines, threadCounts[0] ?? 1)
  for (const asked of threadCounts) {
    const threads = native ? asked : 1
    if (threads !== asked) process.stderr.write(`--threads ${asked}: stock ${flags.engine} kernels compute on one thread; the figures below are of one\n`)
    const sizes = { maxBatch: Math.max(...batches), chunkTokens: CHUNK }
    const engine = await startEngine({ load: { modelPath: path, ...engines, threads }, ...sizes })
    const ours = runnerOf(engine.info.backend, engine)
    const runners: Runner[] = [ours]
    try {
      if (competitors.includes('tfjs')) {
        runners.push(runnerOf('tfjs', await startEngine({ load: { modelPath: path, backend: 'wasm' }, ...sizes })))
      }
      const { contextLength } = engine.info
      const prompt = Math.min(count('prompt', flags.prompt), contextLength - 1)
      const tokens = Math.min(count('tokens', flags.tokens), contextLength - DECODE_PROMPT - 1)
      if (competitors.includes('node-llama-cpp')) {
        const context = Math.max(prompt, DECODE_PROMPT + tokens) + 8
        const llama = await llamaRunner(path, threads, context).catch((thrown: unknown) => toVolleyError(thrown))
        if (llama instanceof Error) print(json, { bench: 'absent', engine: 'node-llama-cpp', why: llama.message })
        else runners.push(llama)
      }
      const show = (phase: string, batch: number, length: number, times: number[][]): number => {
        const rates = times.map((ms) => round((length * batch) / (quantile(ms, 0.5) / 1000), 1))
        for (const [i, { name }] of runners.entries()) {
          if (times[i]?.length === 0) continue
          const dtype = name === 'node-llama-cpp' ? 'as in the file' : 'f32'
          const own = name === 'tfjs' ? 1 : threads
          print(json, { bench: 'engine', dtype, threads: own, repeats, engine: name, phase, batch, tokens: length, tokensPerSecond: rates[i] })
        }
        const [first = NaN, ...others] = rates
        for (const [i, theirs] of others.entries()) {
          if (Number.isNaN(theirs)) continue
          print(json, { bench: 'ratio', phase, batch, threads, to: runners[i + 1]?.name, ours: first, theirs, ratio: round(first / theirs, 2) })
        }
        return first
      }
      const rates: MatMulRate[] = []
      const prefills = await inTurns(runners, repeats, async (runner, run) => {
        if (native && runner === ours && run >= 0) rates.push(await matMulRate(path, threads))
        return await runner.prefill(prompt, run)
      })
      const tokensPerSecond = show('prefill', 1, prompt, prefills)
      if (rates.length > 0) print(json, share(rates, tokensPerSecond, threads))
      for (const batch of batches) {
        show('decode', batch, tokens, await inTurns(runners, repeats, (runner, run) => runner.decode(batch, tokens, run)))
      }
      if (engine.encode) {
        const figure = { bench: 'engine', dtype: 'f32', threads, repeats }
        await encodes(engine, counts('tiles', flags.tiles), repeats, (line) => print(json, { ...figure, ...line }))
      }
    } finally {
      for (const runner of runners) await runner.close()
    }
  }
}

/** Small encoders' calls are short: it takes some until they are compiled. */
const WARM_UPS = 4

/** Tiles a second, grouped and one by one, turn by turn. The encoder may compute elsewhere than prompts do. */
async function encodes(
  engine: EngineThread,
  tileCounts: readonly number[],
  repeats: number,
  show: (figure: Record<string, unknown>) => void,
): Promise<void> {
  const { numerics = '' } = engine.info.vision ?? {}
  for (const tiles of tileCounts) {
    const times = { together: [] as number[], apart: [] as number[] }
    for (let run = -WARM_UPS; run < repeats; run++) {
      const ways: [keyof typeof times, number][] = [['together', tiles], ['apart', 1]]
      // Who goes first alternates.
      for (const [way, each] of run % 2 === 0 ? ways : ways.reverse()) {
        const ms = await encode(engine, tiles, each, run)
        if (run >= 0) times[way].push(ms)
      }
    }
    const perSecond = (ms: number[]) => round(tiles / (quantile(ms, 0.5) / 1000), 1)
    const [together, apart] = [perSecond(times.together), perSecond(times.apart)]
    show({ phase: 'encode', encoder: numerics.split('/').at(-1), tiles, tilesPerSecond: together, oneByOne: apart, ratio: round(together / apart, 2) })
  }
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

/** The library reads its number of threads once a process; and what it writes to stderr can only be sifted from outside. */
async function eachInItsOwnProcess(argv: readonly string[], threadCounts: readonly number[]): Promise<void> {
  for (const threads of threadCounts) {
    const { command, args } = selfCommand(join(projectRoot, 'cli', 'main.ts'), ['bench', 'engine', ...argv, '--threads', String(threads)])
    const child = spawn(command, args, { stdio: ['inherit', 'inherit', 'pipe'], env: { ...process.env, [ONE]: '1' } })
    createInterface({ input: child.stderr }).on('line', (line) => isLibraryNoise(line) || process.stderr.write(`${line}\n`))
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new VolleyError('engine_failed', `The benchmark with ${threads} threads failed`)
  }
}
