/** Pictures through decoder, processor, encoder and language model, against what transformers computed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Chunk, Forward } from '../../../../../runtime/engine/forward.ts'
import { openModel, openVision } from '../../../../../runtime/engine/load/mod.ts'
import { tfjsEncoder, tfjsForward } from '../../../../../runtime/engine/tfjs/mod.ts'
import type { ImageEncoder } from '../../../../../runtime/engine/vision/encoder.ts'
import { givenRows } from '../../../../../runtime/engine/vision/given.ts'
import { floatsOf, visionCases } from '../../../../helpers/idefics3-golden.ts'
import { sharedData } from '../../../../helpers/model-files.ts'
import { processedPictures, see } from '../../../../helpers/see.ts'
import { greedy, poolFor } from '../../../../helpers/sequence.ts'
import { backendsHere } from '../../../../helpers/tensorflow.ts'

const model = sharedData('models/idefics3_tiny')
const images = sharedData('models/images')
const cases = model === undefined ? [] : visionCases(model)
const TABLE = Array.from({ length: 40 }, (_, i) => (i * 7) % 40)

/** Largest difference, relative to the range of the expected values. */
function difference(found: Float32Array, expected: Float32Array): number {
  expect(found).toHaveLength(expected.length)
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0)
  return worst / (Math.max(...expected) - Math.min(...expected))
}

const picture = async (name: string) => (await processedPictures(model!, images!, [name]))[0]!

/** Logits after a prompt, computed in chunks of `size` tokens. */
async function prefill(
  forward: Forward,
  { tokens, tiles }: Awaited<ReturnType<typeof see>>,
  size = tokens.length,
): Promise<{ pool: ReturnType<typeof poolFor>; logits: Float32Array }> {
  const pool = poolFor(forward, TABLE.length)
  let logits = new Float32Array()
  for (let start = 0; start < tokens.length; start += size) {
    const part = tokens.slice(start, start + size)
    const given = givenRows(tiles, forward.config.hiddenSize, start, start + part.length)
    const chunk: Chunk = { tokens: part, given, start, table: TABLE, logits: 'last' }
    const [row] = await forward.run([chunk], pool)
    logits = row!.slice()
  }
  return { pool, logits }
}

describe.skipIf(model === undefined || images === undefined).each(backendsHere('wasm', 'cpu', 'tensorflow'))('Idefics3 on %s', (backend) => {
  let encoder: ImageEncoder
  let forward: Forward
  beforeAll(async () => {
    const [seeing, speaking] = [openVision(model!), openModel(model!)]
    encoder = await tfjsEncoder(seeing, { backend })
    forward = await tfjsForward(speaking, { backend })
    seeing.close()
    speaking.close()
  })
  afterAll(() => {
    encoder.dispose()
    forward.dispose()
  })

  test.each(cases)("gives transformers' vectors, logits and tokens: $images", async (golden) => {
    const pictures = await processedPictures(model!, images!, golden.images)
    const seen = await see(model!, encoder, golden.messages, pictures)
    expect(seen.tokens).toEqual(golden.input_ids)
    if (golden.image_features !== null) {
      const worst = difference(await encoder.encode(pictures[0]!.pixels), floatsOf(golden.image_features))
      expect(worst).toBeLessThan(1e-4)
    }
    const expected = floatsOf(golden.last_logits)
    const { pool, logits } = await prefill(forward, seen)
    const worst = difference(logits, expected)
    expect(worst).toBeLessThan(1e-4)
    const range = Math.max(...expected) - Math.min(...expected)
    const close = golden.margins.findIndex((margin) => margin < 1e-4 * range)
    const sure = close < 0 ? golden.greedy.length : close
    const name = golden.images.join(', ') || 'no picture'
    console.log(`${backend}, ${name}: logits differ by ${worst.toExponential(1)}, ${sure} of ${golden.greedy.length} tokens compared`)
    const first = logits.indexOf(Math.max(...logits))
    const rest = await greedy(forward, pool, TABLE, [...seen.tokens, first], sure - 1)
    expect([first, ...rest.tokens]).toEqual(golden.greedy.slice(0, sure))
  })

  test('tiles have the same bits alone, together and in another order', async () => {
    const { pixels, tiles } = await picture('coffee.png')
    const together = await encoder.encode(pixels)
    const [size, made] = [pixels.length / tiles, together.length / tiles]
    for (let t = 0; t < tiles; t++) {
      const alone = await encoder.encode(pixels.subarray(t * size, (t + 1) * size))
      expect(alone).toEqual(together.subarray(t * made, (t + 1) * made))
    }
    const turned = new Float32Array(pixels.length)
    for (let t = 0; t < tiles; t++) turned.set(pixels.subarray(t * size, (t + 1) * size), (tiles - 1 - t) * size)
    expect((await encoder.encode(turned)).subarray(0, made)).toEqual(together.subarray((tiles - 1) * made))
  })

  // On TensorFlow they do: the loop cuts by a grid there.
  test.skipIf(backend === 'tensorflow')('the bits do not depend on how a prompt with pictures is cut', async () => {
    const { messages, images: names } = cases[2]!
    const seen = await see(model!, encoder, messages, await processedPictures(model!, images!, names))
    const whole = await prefill(forward, seen)
    for (const size of [7, 64]) {
      const cut = await prefill(forward, seen, size)
      expect(cut.logits).toEqual(whole.logits)
      expect(cut.pool.data).toEqual(whole.pool.data)
    }
  })

  test('keeps no tensor behind', async () => {
    const { pixels } = await picture('camera.png')
    await encoder.encode(pixels)
    const before = encoder.memory().tensors
    await encoder.encode(pixels)
    expect(encoder.memory().tensors).toBe(before)
    await expect(encoder.encode(pixels.subarray(1))).rejects.toMatchObject({ code: 'engine_failed' })
    expect(await encoder.encode(new Float32Array())).toHaveLength(0)
  })
})

describe.skipIf(model === undefined)('a step with given rows', () => {
  test('refuses vectors that do not fit', async () => {
    const source = openModel(model!)
    const forward = await tfjsForward(source, { backend: 'cpu' })
    source.close()
    const pool = poolFor(forward, 1)
    const hidden = forward.config.hiddenSize
    for (const [at, floats] of [[0, hidden - 1], [1, 2 * hidden], [-1, hidden]] as const) {
      const given = [{ at, vectors: new Float32Array(floats) }]
      const chunk: Chunk = { tokens: [1, 2], given, start: 0, table: [0], logits: 'none' }
      await expect(forward.run([chunk], pool)).rejects.toMatchObject({ code: 'engine_failed' })
    }
    forward.dispose()
  })
})
