import { describe, expect, test } from 'vitest'
import { readImageSettings } from '../../../../runtime/engine/vision/settings.ts'
import { temporaryDirectory, writeDirectory } from '../../../helpers/model-files.ts'
import { tinyConfig } from '../../../helpers/tiny-model.ts'
import { seeingConfig, smolvlmProcessor } from '../../../helpers/tiny-vision.ts'

const root = temporaryDirectory()
let count = 0
const read = (files: Record<string, unknown>) =>
  readImageSettings(writeDirectory(root, `m${count++}`, { 'config.json': seeingConfig(), ...files }))
const code = (files: Record<string, unknown>): string => {
  try {
    read(files)
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('readImageSettings()', () => {
  const expected = {
    tileSize: 16,
    longestEdge: 48,
    splitting: true,
    mean: [127.5, 127.5, 127.5],
    deviation: [127.5, 127.5, 127.5],
    tileTokens: 4,
  }

  test('reads the files of transformers 4 and 5', () => {
    const four = { 'preprocessor_config.json': smolvlmProcessor(), 'processor_config.json': { image_seq_len: 4 } }
    expect(read(four)).toEqual(expected)
    expect(read({ 'preprocessor_config.json': smolvlmProcessor() })).toEqual(expected)
    const five = { image_processor: smolvlmProcessor(), image_seq_len: 4 }
    expect(read({ 'processor_config.json': five })).toEqual(expected)
  })

  test('a model without an encoder takes no pictures', () => {
    expect(read({ 'config.json': tinyConfig() })).toBeUndefined()
  })

  test('refuses what it would compute wrongly', () => {
    const own = (more: Record<string, unknown>) => ({ 'preprocessor_config.json': smolvlmProcessor(more) })
    expect(code({})).toBe('model_file_missing')
    for (const more of [{ image_processor_type: 'CLIPImageProcessor' }, { resample: 3 }, { do_normalize: false }]) {
      expect(code(own(more)), JSON.stringify(more)).toBe('model_unsupported')
    }
    const broken = [
      { image_mean: [0.5] },
      { image_std: [0, 1, 1] },
      { rescale_factor: 0 },
      { size: { longest_edge: 0 } },
      { max_image_size: { longest_edge: 32 } },
      { image_seq_len: 5 },
    ]
    for (const more of broken) expect(code(own(more)), JSON.stringify(more)).toBe('model_file_invalid')
  })

  test("uses the model's own mean and deviation, in single precision", () => {
    const settings = read({ 'preprocessor_config.json': smolvlmProcessor({ image_mean: [0.485, 0.456, 0.406] }) })!
    expect(settings.mean).toEqual([0.485, 0.456, 0.406].map((x) => Math.fround(Math.fround(x) * 255)))
  })
})
