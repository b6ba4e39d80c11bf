/** What a model file becomes on the engine's thread: its names. */
import { expect, test } from 'vitest'
import loadModel from '../../../../runtime/engine/worker/model.ts'
import { temporaryDirectory, writeDirectory } from '../../../helpers/model-files.ts'
import { seeingFiles, smolvlmProcessor } from '../../../helpers/tiny-vision.ts'

const root = temporaryDirectory()

async function namesOf(name: string, processor: Record<string, unknown>) {
  const files = { ...seeingFiles(), 'preprocessor_config.json': smolvlmProcessor(processor) }
  const { forward, vision, modelDigest } = await loadModel({ modelPath: writeDirectory(root, name, files), backend: 'wasm' })
  forward.dispose()
  vision!.encoder.dispose()
  return { decoder: modelDigest, encoder: vision!.digest }
}

test('vectors are named by the weights and by how pictures are cut and scaled for them', async () => {
  const one = await namesOf('one', {})
  expect(await namesOf('same', {})).toEqual(one)
  for (const other of [{ size: { longest_edge: 32 } }, { image_std: [0.5, 0.5, 0.25] }, { do_image_splitting: false }]) {
    const { decoder, encoder } = await namesOf('other', other)
    expect(decoder).toBe(one.decoder)
    expect(encoder).not.toBe(one.encoder)
  }
})
