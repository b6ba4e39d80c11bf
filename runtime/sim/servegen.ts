/**
 * Requests drawn from ServeGen's description of a day of production: a renewal process and distributions of lengths for
 * each client, in windows. Drawn from counted random numbers: a seed is a trace. Images are cut into tiles.
 * @module
 */
import { stat } from 'node:fs/promises'
import { philox4x32 } from '../engine/sampler-random.ts'
import { VolleyError } from '../errors.ts'
import { type Arrival, linesOf } from './trace.ts'

/** Tokens that one tile of an image becomes. */
const TILE_TOKENS = 256
const WINDOW_S = 600
const HOUR_S = 3_600

type Table = readonly (readonly [value: number, probability: number])[]
type Lengths = Readonly<Record<'text_tokens' | 'image_count' | 'image_tokens' | 'output_tokens', Table>>

/** A line of the file. */
interface Client {
  client: number
  /** Start in seconds, requests/s, CV, kind of process, its shape and scale. */
  trace: readonly (readonly [number, number, number, 'Gamma' | 'Weibull' | null, number, number])[]
  /** Start in seconds -> field -> distribution. */
  dataset: Readonly<Record<string, Lengths>>
}

/** The hours `[from, to)` of a file's day, some arrivals at a time; time 0 = `from`. Error: `invalid_flag`. */
export async function* drawServegen(
  file: string,
  hours: readonly [number, number],
  seed: number,
): AsyncGenerator<Arrival[]> {
  const wrong = (what: string) =>
    new VolleyError('invalid_flag', `Cannot read ServeGen clients from ${file}: ${what}`, {
      param: 'trace',
      remedy: 'give servegen:FILE:FROM-TO, FILE of JSON lines with client, trace and dataset, plain or gzip',
    })
  if (hours[0] >= hours[1] || hours[1] > 24) throw wrong(`${hours.join('-')} are no hours of a day`)
  const info = await stat(file).catch((error: Error) => {
    throw wrong(error.message)
  })
  if (!info.isFile()) throw wrong('it is not a file')
  const clients: Client[] = []
  for await (const lines of linesOf(file, wrong)) {
    for (const line of lines) if (line.trim() !== '') clients.push(clientOf(line, wrong))
  }
  const [fromS, toS] = [hours[0] * HOUR_S, hours[1] * HOUR_S]
  for (let startS = fromS; startS < toS; startS += WINDOW_S) {
    const rows = clients.flatMap((client) => [...windowOf(client, startS, seed)])
    yield rows.map((row) => ({ ...row, atMs: row.atMs - fromS * 1_000 })).sort((a, b) => a.atMs - b.atMs)
  }
}

function clientOf(line: string, wrong: (what: string) => Error): Client {
  try {
    const client = JSON.parse(line) as Partial<Client>
    if (Array.isArray(client.trace) && typeof client.dataset === 'object') return client as Client
  } catch {
    // Said below: it is no such line.
  }
  throw wrong(`"${line.slice(0, 60)}" is no client with a trace and a dataset`)
}

/** One client's arrivals in the window that begins at `startS`. */
function* windowOf({ client, trace, dataset }: Client, startS: number, seed: number): Generator<Arrival> {
  const window = trace.find(([at]) => at === startS)
  const lengths = Object.entries(dataset).filter(([at]) => Number(at) <= startS).at(-1)?.[1]
  if (window === undefined || lengths === undefined || window[1] <= 0) return
  const [, rate, , kind, shape] = window
  const random = stream(seed, client, startS / WINDOW_S)
  const pauseS = () => (kind === 'Weibull' ? weibull(shape, random) : gamma(shape, random)) / rate
  // The window begins somewhere within a pause.
  for (let atS = startS + random() * pauseS(); atS < startS + WINDOW_S; atS += pauseS()) {
    const images = Array.from({ length: draw(lengths.image_count, random) }, () => draw(lengths.image_tokens, random))
    const input = draw(lengths.text_tokens, random) + images.reduce((sum, tokens) => sum + tokens, 0)
    yield {
      atMs: atS * 1_000,
      input: Math.max(1, input),
      output: Math.max(1, draw(lengths.output_tokens, random)),
      images: images.filter((tokens) => tokens > 0).map((tokens) => Math.ceil(tokens / TILE_TOKENS)),
    }
  }
}

/** Uniform numbers in (0, 1], one after the other. */
function stream(seed: number, client: number, window: number): () => number {
  let drawn = 0
  let words: ArrayLike<number> = []
  return () => {
    if (drawn % 4 === 0) words = philox4x32([drawn / 4, client, window, 1], [seed >>> 0, 0x51b])
    return (words[drawn++ % 4]! + 1) / 2 ** 32
  }
}

function draw(table: Table, random: () => number): number {
  let left = random()
  for (const [value, probability] of table) {
    left -= probability
    if (left <= 0) return value
  }
  return table.at(-1)?.[0] ?? 0
}

/** Of mean 1. */
const weibull = (shape: number, random: () => number): number =>
  (-Math.log(random())) ** (1 / shape) / Math.exp(logGamma(1 + 1 / shape))

/** Of mean 1 (Marsaglia and Tsang 2000; below shape 1 by a power of a uniform number). */
function gamma(shape: number, random: () => number): number {
  const boosted = shape < 1 ? shape + 1 : shape
  const d = boosted - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random())
    const v = (1 + c * normal) ** 3
    if (v <= 0 || Math.log(random()) >= normal * normal / 2 + d - d * v + d * Math.log(v)) continue
    return d * v * (shape < 1 ? random() ** (1 / shape) : 1) / shape
  }
}

/** Logarithm of the gamma function, by Stirling's series after raising the argument. */
function logGamma(x: number): number {
  let shift = 0
  let z = x
  for (; z < 8; z++) shift += Math.log(z)
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + 1 / (12 * z) - 1 / (360 * z ** 3) - shift
}
