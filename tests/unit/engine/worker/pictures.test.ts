/** Models that see, on the engine's own thread: goldens, and the same bytes however their parts came together. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SamplingParams } from '../../../../runtime/engine/engine.ts'
import { openText } from '../../../../runtime/engine/text/mod.ts'
import { ImageDecoder } from '../../../../runtime/engine/vision/decode.ts'
import { imageLayout } from '../../../../runtime/engine/vision/layout.ts'
import { imageExpander } from '../../../../runtime/engine/vision/prompt.ts'
import { readImageSettings } from '../../../../runtime/engine/vision/settings.ts'
import type { EngineThread } from '../../../../runtime/engine/worker/client.ts'
import { startEngine } from '../../../../runtime/engine/worker/start.ts'
import { floatsOf, visionCases } from '../../../helpers/idefics3-golden.ts'
import { sharedData, temporaryDirectory, writeDirectory } from '../../../helpers/model-files.ts'
import { seededRandom } from '../../../helpers/random.ts'
import { answer, atOnce, encodeAll, notAtAll, type SeenRequest } from '../../../helpers/seen.ts'
import { tensorflowHere } from '../../../helpers/tensorflow.ts'
import { seeingFiles } from '../../../helpers/tiny-vision.ts'
import { drawn, greedy, prompt } from '../../../helpers/toy-engine.ts'
import { toyImage } from '../../../helpers/toy-vision.ts'

const golden = sharedData('models/idefics3_tiny')
const images = sharedData('models/images')
const cases = golden === undefined || images === undefined ? [] : visionCases(golden)
const twin = writeDirectory(temporaryDirectory(), 'twin', seeingFiles())

/** Drawn tokens show a changed bit sooner than greedy ones; log probabilities show it at once. */
const telling: SamplingParams = { ...drawn, topLogprobs: 3, maxTokens: 16 }

/** A golden chat as transformers laid it out. */
async function goldenRequest({ messages, images: names, input_ids }: (typeof cases)[number]): Promise<SeenRequest> {
  const decoder = new ImageDecoder()
  const settings = readImageSettings(golden!)!
  const files = names.map((name) => readFileSync(join(images!, name)))
  const pictures = []
  for (const file of files) pictures.push(await decoder.decode(file, AbortSignal.timeout(20_000)))
  const text = openText(golden!)
  const layouts = pictures.map((picture) => imageLayout(settings, picture))
  const { tokens, tileStarts } = imageExpander(text, settings)(text.chat([...messages]), layouts)
  expect(tokens).toEqual(input_ids)
  return { tokens, pictures: pictures.map((image, i) => ({ image, name: names[i]!, starts: tileStarts[i]! })) }
}

/** Two pictures of 7 and 10 tiles of 4 tokens in a prompt of a model without words. */
function twinRequest(): Promise<SeenRequest> {
  const settings = readImageSettings(twin)!
  const tokens = prompt(9).map((id) => id % 12)
  const pictures = [toyImage(40, 24, 1), toyImage(30, 30, 2)].map((image, i) => {
    const starts = Array.from({ length: imageLayout(settings, image).tiles }, () => {
      tokens.push(5, ...Array<number>(settings.tileTokens).fill(3))
      return tokens.length - settings.tileTokens
    })
    tokens.push(...prompt(7, i).map((id) => id % 12))
    return { image, name: `noise${i}`, starts }
  })
  return Promise.resolve({ tokens, pictures })
}

describe.each([
  ['a tiny twin', twin, twinRequest],
  ['idefics3_tiny', golden, () => goldenRequest(cases.find(({ images: names }) => names.length > 1)!)],
] as const)('%s on its own thread', (_, model, request) => {
  describe.skipIf(model === undefined || (model === golden && images === undefined))('gives the same bytes', () => {
    const engines: EngineThread[] = []
    let [a, b, c] = engines as [EngineThread, EngineThread, EngineThread]
    let seen: SeenRequest
    let marks: Awaited<ReturnType<typeof encodeAll>>
    let truth: Awaited<ReturnType<typeof answer>>
    const start = async (chunkTokens: number) => {
      const engine = await startEngine({ load: { modelPath: model!, backend: 'wasm' }, chunkTokens, blockTokens: 16 })
      engines.push(engine)
      return engine
    }
    beforeAll(async () => {
      seen = await request()
      a = await start(256)
      b = await start(256)
      c = await start(32)
      marks = await encodeAll(a, seen)
      truth = await answer(a, seen.tokens, atOnce(marks), telling)
      expect(truth.outs).toHaveLength(telling.maxTokens)
      expect(truth.cachedTokens).toBe(0)
    }, 60_000)
    afterAll(async () => {
      for (const engine of engines) await engine.close()
    })

    test('from tiles encoded elsewhere, one by one, in another order', async () => {
      const { numerics } = a.info.vision!
      for (const { image, name, starts } of seen.pictures) {
        for (const tile of [...starts.keys()].reverse()) {
          const vectors = await b.encode!({ image, whole: false, tiles: [tile] }, AbortSignal.timeout(20_000))
          expect(vectors).toEqual(marks.find((mark) => mark.name === `${name}/${tile}/${numerics}`)!.floats)
        }
      }
    })

    test('with other pictures at the same places it is another answer', async () => {
      const others = marks.map(({ floats, name, ...mark }, i) => ({
        ...mark, name: `${name}?`, floats: i === 0 ? floats.map((value) => -value) : floats,
      }))
      const other = await answer(a, seen.tokens, atOnce(others), telling)
      expect(other.outs).not.toEqual(truth.outs)
      // Up to the first picture the two prompts are the same.
      expect(other.cachedTokens).toBe(Math.floor(marks[0]!.start / 16) * 16)
    })

    test('with the prompt in the cache, and then without vectors', async () => {
      const again = await answer(a, seen.tokens, atOnce(marks), telling)
      expect(again.outs).toEqual(truth.outs)
      const { cachedTokens } = again
      expect(cachedTokens).toBe(Math.floor((seen.tokens.length - 1) / 16) * 16)
      const covered = marks.filter(({ start, tokens }) => start + tokens <= cachedTokens)
      const rest = marks.slice(covered.length)
      const blind = await answer(a, seen.tokens, [...notAtAll(covered), ...atOnce(rest)], telling)
      expect(blind).toEqual(again)
    })

    test('when vectors come late, in any order, in chunks of any size', async () => {
      const random = seededRandom(7)
      for (const [run, engine] of [b, c, b, c].entries()) {
        const names = marks.map((mark) => ({ ...mark, name: `${mark.name}#${run}` }))
        const later = names.map(() => Promise.withResolvers<Float32Array>())
        const given = names.map(({ floats: _, ...mark }, i) => ({ ...mark, vectors: later[i]!.promise }))
        const late = answer(engine, seen.tokens, given, telling)
        const order = names.map((_, i) => ({ i, at: random.below(1000) })).sort((x, y) => x.at - y.at)
        for (const { i } of order) {
          if (random.below(3) === 0) await sleep(random.below(4))
          later[i]!.resolve(names[i]!.floats)
        }
        expect((await late).outs).toEqual(truth.outs)
      }
    })

    test('moved to another engine, where the pictures are a prefix then', async () => {
      const moved = await answer(a, seen.tokens, atOnce(marks), telling, { moveTo: c })
      expect(moved.outs).toEqual(truth.outs)
      const after = await answer(c, seen.tokens, atOnce(marks), telling)
      expect(after.outs).toEqual(truth.outs)
      expect(after.cachedTokens).toBe(Math.floor((seen.tokens.length - 1) / 16) * 16)
    })

    test('resumed from tokens that it had', async () => {
      const tokens = truth.outs.map(({ token }) => token)
      for (const count of [1, 5, 15]) {
        const resumed = await answer(c, seen.tokens, atOnce(marks), telling, { known: tokens.slice(0, count) })
        expect(resumed.outs.slice(1)).toEqual(truth.outs.slice(count))
      }
    })
  })
})

/** Where prompts and generated tokens are computed; pictures are where prompts are. */
const engines = [
  ['wasm', 'wasm'],
  ['cpu', 'cpu'],
  ['cpu', 'wasm'],
  ...(tensorflowHere ? [['tensorflow', 'tensorflow'], ['tensorflow', 'wasm']] : []),
] as [string, string][]

describe.skipIf(cases.length === 0).each(engines)('goldens through the engine on %s and %s', (backend, decodeBackend) => {
  let engine: EngineThread
  beforeAll(async () => {
    engine = await startEngine({ load: { modelPath: golden!, backend, decodeBackend, threads: 1 } })
    expect(engine.info.vision!.numerics).toContain(`/${backend}-f32`)
  }, 60_000)
  afterAll(() => engine.close())

  // Two backends in one engine differ in who computes what: one chat with several pictures tells.
  const some = backend === decodeBackend ? cases : cases.filter(({ images: names }) => names.length > 1)
  test.each(some)("gives transformers' tokens: $images", async (each) => {
    const seen = await goldenRequest(each)
    const logits = floatsOf(each.last_logits)
    const range = Math.max(...logits) - Math.min(...logits)
    const close = each.margins.findIndex((margin) => margin < 1e-4 * range)
    const sure = close < 0 ? each.greedy.length : close
    const sampling = { ...greedy, maxTokens: each.greedy.length, ignoreEos: true, topLogprobs: 5 }
    const { outs } = await answer(engine, seen.tokens, atOnce(await encodeAll(engine, seen)), sampling)
    expect(outs.slice(0, sure).map(({ token }) => token)).toEqual(each.greedy.slice(0, sure))
    const mass = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))
    for (const [token, logprob] of outs[0]!.top!) {
      expect(Math.abs(logprob - (logits[token]! - mass))).toBeLessThan(1e-4 * range)
    }
    console.log(`${engine.info.backend}, ${each.images.join(', ') || 'no picture'}: ${sure} of ${each.greedy.length} tokens compared`)
  }, 120_000)
})
