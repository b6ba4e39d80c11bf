/**
 * What an engine's work costs on this machine: a few prefills, decodes and tiles, fitted to the law of
 * runtime/policy/profile.ts, and kept on disk by model, numerics and machine, so that only a new pair is measured.
 * @module
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import type { DecodeJob, Engine, SamplingParams } from '../../runtime/engine/engine.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { cacheDir } from '../../runtime/platform.ts'
import { fitCosts, type IterationSample } from '../../runtime/policy/fit.ts'
import { type CostProfile, unmeasured } from '../../runtime/policy/profile.ts'
import { oneAtATime } from './one-at-a-time.ts'

const GREEDY: SamplingParams = {
  maxTokens: 1, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0, presencePenalty: 0, frequencyPenalty: 0,
  repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: true,
}
/** Prompt lengths that are timed; all shorter where the context is. */
const PROMPTS = [16, 64, 256]
/** Decode steps that are timed, and how many sequences they are for besides one. */
const STEPS = 8
const BATCH = 8
/** With fewer tokens there are no three lengths to tell apart. */
const LEAST_CONTEXT = 16

/** Tiles that are encoded in one call: about a picture's. */
const TILES = 4
/** One tile that takes longer tells enough. */
const LONG_MS = 300

/** As long as another process of this machine may measure before this one does, too. */
const WAIT_MS = 120_000

export interface ProfileOptions {
  /** Name of the machine whose times it is held to. */
  pace?: string | undefined
  signal: AbortSignal
}

/**
 * From the disk, or measured (seconds with a large model) and then kept; one process of the machine measures, the others
 * wait for what it finds. A cache that cannot be written is no error.
 */
export async function profileOf(engine: Engine, { pace, signal }: ProfileOptions): Promise<CostProfile> {
  const { model, numerics, contextLength, blocksTotal, blockTokens, vision } = engine.info
  if (contextLength < LEAST_CONTEXT) return unmeasured(blocksTotal * blockTokens)
  const machine = `${pace === undefined ? '' : `pace ${pace} on `}${cpus()[0]?.model ?? 'unknown'} x${cpus().length}`
  const key = createHash('sha256').update(JSON.stringify([numerics, machine, contextLength, blocksTotal, 6, vision])).digest('hex').slice(0, 32)
  const path = cacheDir('profiles', `${key}.json`)
  const kept = await readKept(path)
  if (kept !== undefined) return kept.profile
  await mkdir(dirname(path), { recursive: true }).catch(() => undefined)
  return await oneAtATime(`${path}.lock`, { timeoutMs: WAIT_MS, signal }, async () => {
    const found = await readKept(path)
    if (found !== undefined) return found.profile
    const profile = await measure(engine, machine)
    await writeFile(`${path}.${process.pid}`, JSON.stringify({ model, paced: pace !== undefined, profile } satisfies Kept))
      .then(() => rename(`${path}.${process.pid}`, path))
      .catch(() => undefined)
    return profile
  })
}

/** A profile on disk. */
interface Kept {
  model: string
  /** Held to another machine's times: tells nothing of this one. */
  paced: boolean
  profile: CostProfile
}

const readKept = (path: string): Promise<Kept | undefined> =>
  readFile(path, 'utf8').then((text) => JSON.parse(text) as Kept, () => undefined).then((kept) => (kept?.profile ? kept : undefined))

/**
 * What was measured on this machine, the last of a model, or of any. Error: `invalid_flag` when nothing was; the remedy
 * says how to measure.
 */
export async function machineProfile(model?: string): Promise<CostProfile> {
  const folder = cacheDir('profiles')
  const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).map((name) => join(folder, name))
  const all = await Promise.all(files.map(async (path) => ({ kept: await readKept(path), atMs: (await stat(path)).mtimeMs })))
  const here = all.flatMap(({ kept, atMs }) => (kept && !kept.paced ? [{ ...kept, atMs }] : [])).sort((a, b) => b.atMs - a.atMs)
  const found = here.find((kept) => model === undefined || kept.model === model)
  if (found) return { ...found.profile, name: `machine:${found.model}` }
  const others = [...new Set(here.map((kept) => kept.model))].join(', ')
  const what = model === undefined ? 'Nothing was measured on this machine yet' : `The model "${model}" was not measured on this machine yet`
  throw new VolleyError('invalid_flag', others === '' ? what : `${what}: there is ${others}`, {
    param: 'profile',
    remedy: 'start it once with `volley serve`: an instance measures itself and keeps what it found',
  })
}

async function measure(engine: Engine, machine: string): Promise<CostProfile> {
  const { blocksTotal, blockTokens, blockBytes } = engine.info
  const law = fitCosts(await samplesOf(engine))
  const perTileMs = await tileMs(engine)
  return {
    name: machine,
    ...law,
    kvTokens: blocksTotal * blockTokens,
    kvBytesPerToken: blockBytes / blockTokens,
    ...(perTileMs !== undefined && { perTileMs }),
  }
}

/** Prompts and batches of several sizes, as small as the context is, each timed. */
async function samplesOf(engine: Engine): Promise<IterationSample[]> {
  const { contextLength, blocksTotal, blockTokens, maxBatch } = engine.info
  const longest = Math.min(PROMPTS.at(-1)!, contextLength - STEPS - 2)
  const lengths = PROMPTS.map((n) => Math.ceil((n * longest) / PROMPTS.at(-1)!))
  const [short, long] = [lengths[0]!, lengths.at(-1)!]
  // A sequence writes on in a copy of its prompt's last block.
  const blocks = Math.ceil((short + STEPS + 1) / blockTokens) + 1
  const batch = Math.min(BATCH, maxBatch, Math.floor(blocksTotal / blocks))
  const samples: IterationSample[] = []
  await prefillMs(engine, short, 0)
  for (const [i, n] of lengths.entries()) {
    const ms = await least((at) => prefillMs(engine, n, 100 * at + i + 1))
    samples.push({ tokens: n, pairs: n * n, resident: 0, sequences: 0, ms })
  }
  for (const [i, [sequences, n]] of ([[1, short], [batch, short], [1, long]] as const).entries()) {
    const ms = await least((at) => stepMs(engine, sequences, n, 100 * at + 10 * (i + 1)))
    samples.push({ tokens: 0, pairs: 0, resident: sequences * (n + (STEPS + 1) / 2), sequences, ms })
  }
  return samples
}

/** Short measurements are made up to five times: the quickest is the one that nothing disturbed. */
const REPEAT_WITHIN_MS = 400
async function least(measured: (at: number) => Promise<number>): Promise<number> {
  const started = performance.now()
  let ms = await measured(0)
  for (let at = 1; at < 5 && performance.now() - started < REPEAT_WITHIN_MS; at++) ms = Math.min(ms, await measured(at))
  return ms
}

/** A prompt that no other shares a block with. */
const prompt = (engine: Engine, n: number, salt: number): number[] =>
  Array.from({ length: n }, (_, i) => 3 + ((i * 17 + salt * 101) % Math.max(1, engine.info.vocabSize - 3)))

async function prefillMs(engine: Engine, n: number, salt: number): Promise<number> {
  const hold = `profile-${salt}`
  const started = performance.now()
  await engine.prefill({ hold, tokens: prompt(engine, n, salt), sampling: GREEDY, choices: 1 }, new AbortController().signal)
  const ms = performance.now() - started
  engine.release(hold)
  return ms
}

/** A step of so many sequences, each a request of its own, as they are in service. */
async function stepMs(engine: Engine, batch: number, n: number, salt: number): Promise<number> {
  const { signal } = new AbortController()
  const sampling = { ...GREEDY, maxTokens: STEPS + 1 }
  const jobs: DecodeJob[] = []
  for (let at = 0; at < batch; at++) {
    const hold = `profile-${salt}-${at}`
    const tokens = prompt(engine, n, 31 * salt + at)
    const { first } = await engine.prefill({ hold, tokens, sampling, choices: 1 }, signal)
    jobs.push({ hold, prompt: tokens, sampling, choices: first.map(({ choice, token }) => ({ choice, generated: [token] })) })
  }
  const started = performance.now()
  await Promise.all(jobs.map((job) => engine.decode(job, () => undefined, signal).done))
  const ms = (performance.now() - started) / STEPS
  for (const { hold } of jobs) engine.release(hold)
  return ms
}

/** Of one tile among a few; of a slow encoder, its first and only one. */
async function tileMs(engine: Engine): Promise<number | undefined> {
  if (!engine.encode) return undefined
  const image = { width: 32, height: 32, data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 37) % 256) }
  let ms = Infinity
  for (const tiles of [1, TILES]) {
    const started = performance.now()
    await engine.encode({ image, whole: true, tiles: new Array<number>(tiles).fill(0) }, new AbortController().signal)
    ms = (performance.now() - started) / tiles
    if (ms > LONG_MS) break
  }
  return ms
}
