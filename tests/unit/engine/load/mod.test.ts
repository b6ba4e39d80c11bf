import { createHash } from 'node:crypto'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openModel } from '../../../../runtime/engine/load/mod.ts'
import { isVolleyError, type VolleyError } from '../../../../runtime/errors.ts'
import {
  ggufBytes,
  safetensorsBytes,
  sharedData,
  smollm2File,
  temporaryDirectory,
  writeDirectory,
} from '../../../helpers/model-files.ts'
import { TINY, tinyConfig, tinyGguf, tinyMetadata, tinySafetensors, tinyTensors } from '../../../helpers/tiny-model.ts'

const root = temporaryDirectory()

/** The error that opening gives; fails when it opens. */
function refusal(path: string): VolleyError {
  try {
    openModel(path).close()
  } catch (error) {
    expect(isVolleyError(error), String(error)).toBe(true)
    expect((error as VolleyError).remedy).toBeTruthy()
    return error as VolleyError
  }
  throw new Error(`${path} was opened`)
}

const writeFile = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(root, name), bytes)
  return join(root, name)
}

describe('openModel()', () => {
  const hf = writeDirectory(root, 'tiny-hf', { 'config.json': tinyConfig(), 'model.safetensors': tinySafetensors() })

  test('reads a Hugging Face directory by canonical names', () => {
    const model = openModel(hf)
    expect(model.name).toBe('tiny-hf')
    expect(model.config).toMatchObject({ family: 'llama', layers: 2, headDim: 4, tiedEmbeddings: true, endTokens: [2] })
    expect(model.shape('1.down')).toEqual([TINY.hidden, TINY.inter])
    expect(model.has('head')).toBe(false)
    expect(model.has('0.qBias')).toBe(false)
    const embed = tinyTensors()[0]!.values
    expect(model.read('embed')).toEqual(embed)
    model.read('embed').fill(0)
    expect(model.read('embed')).toEqual(embed)
    model.close()
  })

  test("a GGUF file of the same model gives the same tensors: llama.cpp's permutation is undone", () => {
    const ours = openModel(hf)
    const theirs = openModel(writeFile('tiny.gguf', tinyGguf()))
    expect(theirs.name).toBe('tiny')
    for (const name of ['embed', 'norm', '0.q', '0.k', '0.v', '0.o', '1.q', '1.k', '1.gate', '1.down', '1.ffnNorm']) {
      expect(theirs.read(name), name).toEqual(ours.read(name))
      expect(theirs.shape(name), name).toEqual(ours.shape(name))
    }
    ours.close()
    theirs.close()
  })

  test('only the llama architecture is permuted', () => {
    const bias = { type: 0, data: new Uint8Array(4 * 8) }
    const biases = [0, 1].flatMap((l) => [
      { ...bias, name: `blk.${l}.attn_q.bias`, shape: [8] },
      { ...bias, name: `blk.${l}.attn_k.bias`, shape: [4], data: new Uint8Array(16) },
      { ...bias, name: `blk.${l}.attn_v.bias`, shape: [4], data: new Uint8Array(16) },
    ])
    const qwen = openModel(writeFile('qwen.gguf', tinyGguf(tinyMetadata({}, 'qwen2'), false, biases)))
    expect(qwen.read('0.q')).toEqual(tinyTensors().find(({ gguf }) => gguf === 'blk.0.attn_q.weight')!.values)
    expect(qwen.has('1.qBias')).toBe(true)
    qwen.close()
  })

  test('reads sharded safetensors by their index', () => {
    const all = tinyTensors().map(({ hf: name, shape, values }) =>
      [name, { dtype: 'F32', shape, data: new Uint8Array(values.slice().buffer) }] as const
    )
    const halves = [all.slice(0, 9), all.slice(9)]
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    const map = halves.flatMap((half, i) => half.map(([name]) => [name, names[i]]))
    const sharded = openModel(writeDirectory(root, 'sharded', {
      'config.json': tinyConfig(),
      'model.safetensors.index.json': { metadata: {}, weight_map: Object.fromEntries(map) },
      [names[0]!]: safetensorsBytes(Object.fromEntries(halves[0]!)),
      [names[1]!]: safetensorsBytes(Object.fromEntries(halves[1]!)),
    }))
    const whole = openModel(hf)
    expect(sharded.read('1.down')).toEqual(whole.read('1.down'))
    expect(sharded.digest).toBe(whole.digest)
    sharded.close()
    whole.close()
  })

  test('the digest is stable, and differs when one weight does', () => {
    const again = openModel(hf)
    const weights = tinySafetensors()
    weights[weights.length - 1]! ^= 1
    const other = openModel(
      writeDirectory(root, 'other', { 'config.json': tinyConfig(), 'model.safetensors': weights }),
    )
    const same = openModel(hf)
    expect(again.digest).toMatch(/^[0-9a-f]{32}$/)
    expect(same.digest).toBe(again.digest)
    expect(other.digest).not.toBe(again.digest)
    for (const model of [again, other, same]) model.close()
  })

  test('a directory with one GGUF file stands for it', () => {
    const directory = writeDirectory(root, 'one-gguf', { 'some-model.gguf': tinyGguf() })
    const model = openModel(directory)
    expect(model.name).toBe('some-model')
    model.close()
  })

  test('reading after close is an error, and closing twice is not', () => {
    const model = openModel(hf)
    model.close()
    model.close()
    expect(() => model.read('embed')).toThrow(/closed/)
  })

  test('what is no model is refused with a reason', () => {
    expect(refusal(join(root, 'nothing')).code).toBe('model_file_missing')
    expect(refusal(writeFile('notes.txt', Buffer.from('hello world'))).message).toMatch(/not a GGUF file/)
    expect(refusal(writeFile('empty.gguf', Buffer.alloc(0))).code).toBe('model_file_invalid')
    expect(refusal(join(hf, 'model.safetensors')).remedy).toMatch(/directory/)
    mkdirSync(join(root, 'bare'))
    expect(refusal(join(root, 'bare')).code).toBe('model_file_invalid')
    expect(refusal(writeDirectory(root, 'two', { 'a.gguf': 'x', 'b.gguf': 'x' })).remedy).toMatch(/a\.gguf, b\.gguf/)
    expect(refusal(writeDirectory(root, 'no-weights', { 'config.json': tinyConfig() })).code).toBe('model_file_missing')
    const pickles = { 'config.json': tinyConfig(), 'pytorch_model.bin': 'x' }
    expect(refusal(writeDirectory(root, 'pickles', pickles)).remedy).toMatch(/save_pretrained/)
    expect(refusal(writeDirectory(root, 'not-json', { 'config.json': '{' })).code).toBe('model_file_invalid')
  })

  test('GGUF versions and byte orders that cannot be read are named', () => {
    const v2 = tinyGguf()
    v2.writeUInt32LE(2, 4)
    openModel(writeFile('v2.gguf', v2)).close()
    expect(refusal(writeFile('v1.gguf', ggufBytes({}, [], { version: 1 }))).message).toMatch(/version 1/)
    expect(refusal(writeFile('big.gguf', ggufBytes({}, [], { version: 0x03000000 }))).message).toMatch(/big-endian/)
  })

  test('a file cut short is found at opening, not at reading', () => {
    const bytes = tinyGguf()
    for (const keep of [bytes.length - 64, Math.floor(bytes.length / 2), 200, 10]) {
      expect(refusal(writeFile('short.gguf', bytes.subarray(0, keep))).code).toBe('model_file_invalid')
    }
    const directory = writeDirectory(root, 'short', {
      'config.json': tinyConfig(),
      'model.safetensors': tinySafetensors(),
    })
    truncateSync(join(directory, 'model.safetensors'), tinySafetensors().length - 1)
    expect(refusal(directory).message).toMatch(/cut short/)
  })

  test('unknown architectures, number types and shapes are errors of their own', () => {
    const unknown = refusal(writeFile('mamba.gguf', tinyGguf(tinyMetadata({}, 'mamba'))))
    expect(unknown.code).toBe('model_unsupported')
    expect(unknown.remedy).toMatch(/llama, mistral, qwen2, qwen3/)
    const hfUnknown = { 'config.json': tinyConfig({ model_type: 'gpt_neox' }), 'model.safetensors': tinySafetensors() }
    expect(refusal(writeDirectory(root, 'neox', hfUnknown)).message).toMatch(/gpt_neox/)
    const iq4 = ggufBytes(tinyMetadata(), [{
      name: 'token_embd.weight',
      type: 23,
      shape: [1, 256],
      data: new Uint8Array(136),
    }])
    const type = refusal(writeFile('iq4.gguf', iq4))
    expect(type.message).toMatch(/IQ4_XS/)
    expect(type.remedy).toMatch(/Q8_0/)
    const wrong = { 'config.json': tinyConfig({ intermediate_size: 32 }), 'model.safetensors': tinySafetensors() }
    expect(refusal(writeDirectory(root, 'wrong-shape', wrong)).code).toBe('tensor_shape')
    const deeper = { 'config.json': tinyConfig({ num_hidden_layers: 3 }), 'model.safetensors': tinySafetensors() }
    expect(refusal(writeDirectory(root, 'deeper', deeper)).message).toMatch(/layers\.2\./)
    const untied = { 'config.json': tinyConfig({ tie_word_embeddings: false }), 'model.safetensors': tinySafetensors() }
    expect(refusal(writeDirectory(root, 'untied', untied)).message).toMatch(/lm_head/)
  })

  test('a part of a split GGUF names the tool that joins them', () => {
    const split = tinyGguf(tinyMetadata({ 'split.count': ['u32', 3] }))
    expect(refusal(writeFile('part.gguf', split)).remedy).toMatch(/merge/)
  })
})

const tiny = ['llama3_tiny', 'qwen2_tiny', 'qwen3_tiny'].map((name) => sharedData(`models/${name}`))
describe.skipIf(tiny.includes(undefined))('openModel() on models that transformers wrote', () => {
  test('configurations of the three families', () => {
    const [llama, qwen2, qwen3] = tiny.map((path) => openModel(path!))
    expect(llama!.config).toMatchObject({
      family: 'llama',
      heads: 6,
      kvHeads: 2,
      headDim: 16,
      ropeTheta: 10000,
      ropeScaling: { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContextLength: 64 },
      tiedEmbeddings: true,
      bosToken: 1,
      endTokens: [2],
    })
    expect(qwen2!.config).toMatchObject({ family: 'qwen2', ropeTheta: 1e6, ropeScaling: undefined })
    expect(qwen2!.has('0.qBias') && qwen2!.has('2.kBias')).toBe(true)
    expect(qwen3!.config).toMatchObject({ family: 'qwen3', headDim: 32, tiedEmbeddings: false })
    expect(qwen3!.shape('0.qNorm')).toEqual([32])
    expect(qwen3!.shape('head')).toEqual([512, 64])
    for (const model of [llama, qwen2, qwen3]) model!.close()
  })
})

/** sha256 (first 16 digits) of the float32 bytes: dequantised by the Python package `gguf`, rows put back by numpy. */
const SMOLLM2 = {
  'embed': '3fd491c8066dd9dc',
  'norm': '3b87f8e27335e67f',
  '0.q': '54b377bbfa2deab9',
  '7.k': 'c0853489b02eee1e',
  '3.v': 'c2d8d499cbdf3269',
  '29.down': 'c19605745425a11e',
}

const smollm2 = smollm2File()
describe.skipIf(smollm2 === undefined)('openModel() on SmolLM2-135M', () => {
  test("tensors equal an independent dequantiser's", () => {
    const model = openModel(smollm2!)
    expect(model.config).toMatchObject({
      family: 'llama',
      layers: 30,
      heads: 9,
      kvHeads: 3,
      ropeTheta: 1e5,
      contextLength: 8192,
    })
    expect(model.config.endTokens.toSorted()).toEqual([0, 2])
    expect(model.shape('embed')).toEqual([49152, 576])
    for (const [name, digest] of Object.entries(SMOLLM2)) {
      const bytes = new Uint8Array(model.read(name).buffer)
      expect(createHash('sha256').update(bytes).digest('hex').slice(0, 16), name).toBe(digest)
    }
    model.close()
  })
})
