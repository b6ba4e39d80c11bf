import { describe, expect, test } from 'vitest'
import { decideSizes } from '../../../../runtime/engine/loop/size.ts'
import { toyForward } from '../../../helpers/toy-forward.ts'

const { config } = toyForward({ contextLength: 1000 })
/** layers, K and V, tokens, floats, bytes of one */
const blockBytes = 2 * 2 * 16 * 8 * 4

describe('decideSizes()', () => {
  test('gives room for a full batch of full sequences, and for their copies', () => {
    const sizes = decideSizes(config, {})
    expect(sizes).toMatchObject({ contextLength: 1000, maxBatch: 8, blockBytes, blocksTotal: 8 * 64, chunkTokens: 256 })
    expect(sizes.shape).toEqual({ layers: 2, kvDim: 8, blockTokens: 16 })
  })

  test('takes at most 512 MiB unless told otherwise', () => {
    const large = { ...config, contextLength: 131_072, layers: 32, headDim: 1024 }
    const largeBlock = 32 * 2 * 16 * 1024 * 4
    const { blocksTotal, contextLength } = decideSizes(large, {})
    expect(blocksTotal).toBe((512 * 1024 * 1024) / largeBlock)
    expect(contextLength).toBe((blocksTotal - 1) * 16)
    expect(decideSizes(large, { kvBytes: 1024 * largeBlock }).blocksTotal).toBe(1024)
    expect(decideSizes(large, { kvBytes: 1024 * largeBlock, blocksTotal: 9 }).blocksTotal).toBe(9)
  })

  test('never promises a context that the model or the cache has not', () => {
    expect(decideSizes(config, { contextLength: 5000 }).contextLength).toBe(1000)
    expect(decideSizes(config, { contextLength: 500 }).contextLength).toBe(500)
    expect(decideSizes(config, { blocksTotal: 11 }).contextLength).toBe(160)
  })

  test.each([
    [{ maxBatch: 0 }, 'maxBatch'],
    [{ blockTokens: 1.5 }, 'blockTokens'],
    [{ contextLength: -1 }, 'contextLength'],
    [{ chunkTokens: 100 }, 'chunkTokens'],
    [{ kvBytes: blockBytes }, 'kvBytes'],
  ])('refuses %j', (options, param) => {
    expect(() => decideSizes(config, options)).toThrow(expect.objectContaining({ code: 'invalid_config', param }))
  })
})
