/**
 * `volley bench encode`: what encode instances do for requests with pictures, on real systems of this machine: time to
 * first token of a request with eight tiles on 1, 2 and 3 encode instances, tiles a second, and what the cache of tiles
 * saves. All systems run at once and are asked by turns, so that whatever else the machine does strikes them alike; the
 * first is the baseline. With fewer cores than instances they share them; `--profile-pace` holds every engine to the
 * times of a machine of its own (runtime/engine/paced.ts), encoders included: scripted times, everything else is real.
 *
 *     volley bench encode [--model PATH] [--instances 1,2,3] [--rounds 12] [--requests 24] [--profile-pace l30b|none] [--json]
 * @module
 */
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { startSystem } from '../actors/supervisor/system.ts'
import { resolveConfig } from '../runtime/config/mod.ts'
import { readImageSettings } from '../runtime/engine/vision/settings.ts'
import { VolleyError } from '../runtime/errors.ts'
import { locateModel } from '../runtime/models/locate.ts'
import { projectRoot } from '../runtime/platform.ts'
import { profileOf } from '../runtime/sim/mod.ts'
import { benchFlags, count, counts, print, quantile, round } from './flags.ts'
import { ask, firstModel, type Outcome } from './load.ts'
import { machine } from './machine.ts'
import { noisePng } from './picture.ts'

/** Of every request. */
const TILES = 8
const WARM_UP = 3

interface System {
  encoders: number
  http: string
  model: string
  stop(): Promise<unknown>
}

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, { model: '', instances: '1,2,3', rounds: '12', requests: '24', 'profile-pace': 'none' })
  const [rounds, requests, instances] = [count('rounds', flags.rounds), count('requests', flags.requests), counts('instances', flags.instances)]
  const pace = flags['profile-pace'] === 'none' ? undefined : flags['profile-pace']
  if (pace !== undefined) profileOf(pace)
  const path = await locateModel(flags.model === '' ? undefined : flags.model)
  const pictures = picturesFor(path)
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const systems: System[] = []
  try {
    for (const encoders of instances) systems.push(await start(encoders, path, pace, stop.signal))
    print(json, { ...(await machine()), weights: path, pictures: pictures(0).length, tiles: TILES, pace: pace ?? 'none' })
    let seed = 0
    const first = new Map<System, number[]>(systems.map((system) => [system, []]))
    const again = new Map<System, number[]>(systems.map((system) => [system, []]))
    for (let i = -WARM_UP; i < rounds; i++) {
      for (const system of systems) {
        const urls = pictures(seed++)
        const [fresh, cached] = [await chat(system, urls), await chat(system, urls)]
        if (i < 0) continue
        first.get(system)!.push(fresh.ttftMs)
        again.get(system)!.push(cached.ttftMs)
      }
    }
    const base = quantile(first.get(systems[0]!)!, 0.5)
    for (const system of systems) {
      const [fresh, cached] = [first.get(system)!, again.get(system)!]
      print(json, {
        bench: 'encode', figure: 'ttft', pace: pace ?? 'none', encodeInstances: system.encoders, tiles: TILES, repeats: rounds, ttftMs: spread(fresh),
        toBaseline: round(base / quantile(fresh, 0.5), 2), cachedTtftMs: spread(cached), cacheSaves: round(1 - quantile(cached, 0.5) / quantile(fresh, 0.5), 2),
      })
    }
    let baseline = 0
    for (const system of systems) {
      const waiting = Array.from({ length: requests }, () => pictures(seed++))
      const startedMs = performance.now()
      await Promise.all(waiting.map((urls) => chat(system, urls)))
      const perSecond = (requests * TILES) / ((performance.now() - startedMs) / 1000)
      baseline ||= perSecond
      print(json, {
        bench: 'encode', figure: 'throughput', pace: pace ?? 'none', encodeInstances: system.encoders, requests, tilesPerSecond: round(perSecond, 1),
        toBaseline: round(perSecond / baseline, 2),
      })
    }
  } finally {
    await Promise.all(systems.map((system) => system.stop()))
  }
}

const spread = (values: readonly number[]) => ({ p50: round(quantile(values, 0.5), 1), p10: round(quantile(values, 0.1), 1), p90: round(quantile(values, 0.9), 1) })

/** Fresh pictures of eight tiles together, as `data:` URLs: two where the model cuts them (5 + 3 tiles), else one a tile. */
function picturesFor(path: string): (seed: number) => string[] {
  const settings = readImageSettings(path)
  if (settings === undefined) throw new VolleyError('invalid_flag', `${path} sees no pictures`, { param: 'model', remedy: 'name a model that does' })
  const { splitting, tileSize } = settings
  const two = [[2 * tileSize, 2 * tileSize], [2 * tileSize, tileSize]] as const
  const sizes = splitting ? two : Array.from({ length: TILES }, () => [tileSize, tileSize] as const)
  return (seed) =>
    sizes.map(([width, height], i) => `data:image/png;base64,${noisePng(width, height, seed * TILES + i).toString('base64')}`)
}

/** So many instances that encode, and one for the rest. */
async function start(encoders: number, model: string, pace: string | undefined, signal: AbortSignal): Promise<System> {
  const { config } = await resolveConfig({
    env: {},
    defaults: {
      port: 0, model, instances: encoders + 1, labels: { encode: encoders, 'prefill+decode': 1 }, threads: 1, profilePace: pace, logLevel: 'error',
    },
  })
  const system = await startSystem(config, { entry: pathToFileURL(join(projectRoot, 'cli', 'main.ts')), signal })
  return { encoders, http: system.http, model: await firstModel(system.http), stop: () => system.stop(0) }
}

/** Error: `internal` when it was not answered. */
async function chat({ http, model }: System, urls: readonly string[]): Promise<Outcome> {
  const content = [...urls.map((url) => ({ type: 'image_url', image_url: { url } })), { type: 'text', text: 'What is it?' }]
  const body = { model, messages: [{ role: 'user', content }], max_tokens: 1, temperature: 0, ignore_eos: true, stream: true, return_token_ids: true }
  const outcome = await ask(http, body, 'chat/completions')
  if (outcome.status !== 'finished') throw new VolleyError('internal', `A request was not answered: ${outcome.error}`)
  return outcome
}
