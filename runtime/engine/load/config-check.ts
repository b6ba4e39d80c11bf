/**
 * The sanity of a decoder's configuration, wherever it came from: what families rely on without looking again.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { DecoderConfig } from './source.ts'

/** Families that can be served. */
const FAMILIES: readonly DecoderConfig['family'][] = ['llama', 'mistral', 'qwen2', 'qwen3']

/** The family of this name. Errors: `model_unsupported`, naming those that are known. */
export function familyOf(name: unknown, path: string): DecoderConfig['family'] {
  const family = FAMILIES.find((known) => known === name)
  if (family) return family
  const found = typeof name === 'string' ? `of architecture ${name}` : 'without a stated architecture'
  throw new VolleyError('model_unsupported', `${path} is a model ${found}, which is not known`, {
    remedy: `use a model of one of these: ${FAMILIES.join(', ')}.`,
    param: path,
  })
}

/** The error for a feature of a model that no family here computes. */
export function unsupported(path: string, what: string): VolleyError {
  return new VolleyError('model_unsupported', `${path} needs ${what}, which is not supported`, {
    remedy: `use a plain model of one of these: ${FAMILIES.join(', ')}.`,
    param: path,
  })
}

/** The error for a configuration that contradicts itself or lacks something. */
export function invalidConfig(path: string, why: string): VolleyError {
  return new VolleyError('model_file_invalid', `The configuration of ${path} is not sound: ${why}`, {
    remedy: 'download it again.',
    param: path,
  })
}

const LARGEST: Partial<Record<keyof DecoderConfig, number>> = {
  layers: 4096,
  heads: 65536,
  kvHeads: 65536,
  // The decoder makes a matrix of its square.
  headDim: 4096,
}

/** A whole number of sensible size, under the name its file gives it. Errors: `model_file_invalid`. */
export function wholeNumber(value: unknown, name: string, path: string, largest = 2 ** 31 - 1): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= largest) return value as number
  throw invalidConfig(path, value === undefined ? `${name} is missing` : `${name} is ${JSON.stringify(value)}`)
}

/** The configuration itself, checked. Errors: `model_file_invalid`. */
export function checkConfig(config: DecoderConfig, path: string): DecoderConfig {
  const sizes = [
    'vocabSize',
    'hiddenSize',
    'intermediateSize',
    'layers',
    'heads',
    'kvHeads',
    'headDim',
    'contextLength',
  ] as const
  for (const name of sizes) wholeNumber(config[name], name, path, LARGEST[name])
  if (config.heads % config.kvHeads !== 0) {
    throw invalidConfig(path, `${config.heads} heads cannot share ${config.kvHeads} key-value heads`)
  }
  if (config.headDim % 2 !== 0) throw invalidConfig(path, `head size ${config.headDim} is odd`)
  if (!(config.ropeTheta >= 1) || !Number.isFinite(config.ropeTheta)) {
    throw invalidConfig(path, `RoPE base ${config.ropeTheta}`)
  }
  if (!(config.rmsNormEps >= 0) || !(config.rmsNormEps < 1)) throw invalidConfig(path, `RMS eps ${config.rmsNormEps}`)
  // Shrunken test models keep their parent's token ids: what is outside the vocabulary can never be generated.
  const inside = (id: number) => id < config.vocabSize
  const bosToken = config.bosToken !== undefined && inside(config.bosToken) ? config.bosToken : undefined
  return { ...config, bosToken, endTokens: config.endTokens.filter(inside) }
}
