import { describe, expect, test } from 'vitest'
import { openVision } from '../../../../runtime/engine/load/mod.ts'
import type { VisionSource } from '../../../../runtime/engine/load/source.ts'
import { temporaryDirectory, writeDirectory } from '../../../helpers/model-files.ts'
import { tinyConfig, tinyGguf, tinySafetensors } from '../../../helpers/tiny-model.ts'
import { encoderSafetensors, seeingConfig } from '../../../helpers/tiny-vision.ts'

const root = temporaryDirectory()
let count = 0
function open(config: unknown, weights: Uint8Array = encoderSafetensors('model.')): VisionSource {
  return openVision(writeDirectory(root, `m${count++}`, { 'config.json': config, 'model.safetensors': weights }))
}

function codeOf(run: () => VisionSource): string {
  try {
    run().close()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('openVision()', () => {
  test('finds every tensor, whatever the file calls them', () => {
    for (const prefix of ['model.', '']) {
      const source = open(seeingConfig(), encoderSafetensors(prefix))
      expect(source.config).toMatchObject({ imageSize: 16, patchSize: 4, heads: 2, scaleFactor: 2, outputSize: 8 })
      expect(source.shape('patch')).toEqual([8, 3, 4, 4])
      expect(source.read('1.downBias')).toHaveLength(8)
      expect(source.has('connectorBias')).toBe(false)
      expect(() => source.read('2.q')).toThrow(/no tensor 2\.q/)
      source.close()
    }
  })

  test('takes what transformers assumes where the configuration is silent', () => {
    const silent = seeingConfig({ vision_config: { image_size: 512, patch_size: 16 }, scale_factor: 4 })
    expect(codeOf(() => open(silent))).toBe('tensor_shape')
  })

  test('names the weights: another encoder, another digest; another decoder, the same', () => {
    const source = open(seeingConfig())
    const other = open(seeingConfig({}, { layer_norm_eps: 1e-5 }))
    const again = open(seeingConfig({ text_config: tinyConfig({ rms_norm_eps: 1e-4 }) }))
    expect(source.digest).not.toBe(other.digest)
    expect(source.digest).toBe(again.digest)
    for (const each of [source, other, again]) each.close()
  })

  test('refuses models that do not see', () => {
    expect(codeOf(() => open(tinyConfig(), tinySafetensors()))).toBe('model_unsupported')
    const gguf = writeDirectory(root, 'gguf', { 'a.gguf': tinyGguf() })
    expect(codeOf(() => openVision(gguf))).toBe('model_unsupported')
  })

  test('refuses encoders that it would compute wrongly, and broken ones', () => {
    expect(codeOf(() => open(seeingConfig({}, { hidden_act: 'gelu' })))).toBe('model_unsupported')
    expect(codeOf(() => open(seeingConfig({}, { num_channels: 1 })))).toBe('model_unsupported')
    for (const vision of [{ patch_size: 5 }, { num_attention_heads: 3 }, { layer_norm_eps: -1 }, { hidden_size: '8' }]) {
      expect(codeOf(() => open(seeingConfig({}, vision))), JSON.stringify(vision)).toBe('model_file_invalid')
    }
    const lacks = { 'vision_model.post_layernorm.bias': undefined }
    expect(codeOf(() => open(seeingConfig(), encoderSafetensors('model.', lacks)))).toBe('model_file_invalid')
    const wide = { 'connector.modality_projection.proj.weight': [8, 8] }
    expect(codeOf(() => open(seeingConfig(), encoderSafetensors('model.', wide)))).toBe('tensor_shape')
  })
})
