/**
 * A model in memory, for tests: a configuration and arrays by canonical name; random weights of any shape, and a reader
 * of llama2.c files.
 * @module
 */
import { readFileSync } from 'node:fs'
import type { DecoderConfig, ModelSource } from '../../runtime/engine/load/source.ts'

export interface Entry {
  shape: number[]
  values: Float32Array
}

export function memorySource(config: DecoderConfig, tensors: Map<string, Entry>): ModelSource {
  const entry = (name: string): Entry => {
    const found = tensors.get(name)
    if (found === undefined) throw new Error(`no tensor ${name}`)
    return found
  }
  return {
    config,
    name: 'test',
    digest: '00',
    has: (name) => tensors.has(name),
    shape: (name) => entry(name).shape,
    read: (name) => entry(name).values.slice(),
    close: () => {},
  }
}

/** A llama with every field set; override what matters. */
export function testConfig(overrides: Partial<DecoderConfig> = {}): DecoderConfig {
  const config: DecoderConfig = {
    family: 'llama',
    vocabSize: 61,
    hiddenSize: 48,
    intermediateSize: 76,
    layers: 2,
    heads: 6,
    kvHeads: 2,
    headDim: 8,
    rmsNormEps: 1e-5,
    contextLength: 512,
    ropeTheta: 10000,
    ropeScaling: undefined,
    slidingWindow: [],
    tiedEmbeddings: true,
    bosToken: 1,
    endTokens: [2],
    ...overrides,
  }
  const window = config.slidingWindow
  return { ...config, slidingWindow: Array.from({ length: config.layers }, (_, i) => window[i]) }
}

/** Uniform in -1 .. 1 from a seed (Numerical Recipes' congruential generator). */
export function randomFloats(count: number, seed: number): Float32Array {
  let state = seed >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** Every tensor of a configuration with random values, wide enough that mistakes show. */
export function randomTensors(config: DecoderConfig, seed = 1): Map<string, Entry> {
  const { hiddenSize: hidden, intermediateSize: inter, heads, kvHeads, headDim, vocabSize } = config
  const tensors = new Map<string, Entry>()
  const add = (name: string, shape: number[], scale: number, offset = 0) => {
    const size = shape.reduce((a, b) => a * b, 1)
    const values = randomFloats(size, seed + tensors.size * 7919).map((x) => offset + x * scale)
    tensors.set(name, { shape, values })
  }
  const matrix = (name: string, out: number, inner: number) => add(name, [out, inner], 2 / Math.sqrt(inner))
  add('embed', [vocabSize, hidden], 1)
  add('norm', [hidden], 0.3, 1)
  if (!config.tiedEmbeddings) matrix('head', vocabSize, hidden)
  for (let i = 0; i < config.layers; i++) {
    add(`${i}.attnNorm`, [hidden], 0.3, 1)
    add(`${i}.ffnNorm`, [hidden], 0.3, 1)
    matrix(`${i}.q`, heads * headDim, hidden)
    matrix(`${i}.k`, kvHeads * headDim, hidden)
    matrix(`${i}.v`, kvHeads * headDim, hidden)
    matrix(`${i}.o`, hidden, heads * headDim)
    matrix(`${i}.gate`, inter, hidden)
    matrix(`${i}.up`, inter, hidden)
    matrix(`${i}.down`, hidden, inter)
    if (config.family === 'qwen2') {
      add(`${i}.qBias`, [heads * headDim], 0.5)
      add(`${i}.kBias`, [kvHeads * headDim], 0.5)
      add(`${i}.vBias`, [kvHeads * headDim], 0.5)
    }
    if (config.family === 'qwen3') {
      add(`${i}.qNorm`, [headDim], 0.3, 1)
      add(`${i}.kNorm`, [headDim], 0.3, 1)
    }
  }
  return tensors
}

/** Row 2i of a head pairs with 2i + 1 in llama2.c and with i + dim / 2 here. */
function toRotateHalf(values: Float32Array, headDim: number, inner: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let row = 0; row < values.length / inner; row++) {
    const within = row % headDim
    const to = row - within + (within % 2) * (headDim / 2) + Math.floor(within / 2)
    out.set(values.subarray(row * inner, (row + 1) * inner), to * inner)
  }
  return out
}

/** llama2.c's legacy float32 file: seven int32, then the tensors. */
export function llama2cSource(path: string): ModelSource {
  const bytes = new Uint8Array(readFileSync(path))
  const sizes = new Int32Array(bytes.slice(0, 28).buffer)
  const [hidden = 0, inter = 0, layers = 0, heads = 0, kvHeads = 0, vocab = 0, contextLength = 0] = sizes
  const headDim = hidden / heads
  const config = testConfig({
    vocabSize: Math.abs(vocab),
    hiddenSize: hidden,
    intermediateSize: inter,
    layers,
    heads,
    kvHeads,
    headDim,
    contextLength,
    tiedEmbeddings: vocab > 0,
  })
  const floats = new Float32Array(bytes.slice(28).buffer)
  const tensors = new Map<string, Entry>()
  let at = 0
  const take = (shape: number[]): Float32Array => floats.slice(at, (at += shape.reduce((a, b) => a * b, 1)))
  const perLayer = (name: string, shape: number[]) => {
    for (let i = 0; i < layers; i++) {
      const values = take(shape)
      const turned = name === 'q' || name === 'k' ? toRotateHalf(values, headDim, hidden) : values
      tensors.set(`${i}.${name}`, { shape, values: turned })
    }
  }
  const embedShape = [config.vocabSize, hidden]
  tensors.set('embed', { shape: embedShape, values: take(embedShape) })
  perLayer('attnNorm', [hidden])
  perLayer('q', [heads * headDim, hidden])
  perLayer('k', [kvHeads * headDim, hidden])
  perLayer('v', [kvHeads * headDim, hidden])
  perLayer('o', [hidden, heads * headDim])
  perLayer('ffnNorm', [hidden])
  perLayer('gate', [inter, hidden])
  perLayer('down', [hidden, inter])
  perLayer('up', [inter, hidden])
  tensors.set('norm', { shape: [hidden], values: take([hidden]) })
  if (!config.tiedEmbeddings) {
    take([contextLength, headDim])
    tensors.set('head', { shape: embedShape, values: take(embedShape) })
  }
  return memorySource(config, tensors)
}
