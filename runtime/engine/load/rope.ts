/**
 * RoPE scaling in the ways files write it: transformers 4 (`rope_theta`, `rope_scaling`), transformers 5
 * (`rope_parameters`), GGUF (metadata, or a tensor of divisors). Both Hugging Face ways end in DecoderConfig's fields.
 * @module
 */
import { invalidConfig, unsupported } from './config-check.ts'
import { fields } from './json-file.ts'
import type { DecoderConfig } from './source.ts'

type Scaling = DecoderConfig['ropeScaling']
type Llama3 = Extract<Scaling, { type: 'llama3' }>

/** RoPE base and scaling of a config.json. */
export function hfRope(config: Record<string, unknown>, path: string): { ropeTheta: number; ropeScaling: Scaling } {
  const rope = { ...fields(config['rope_scaling']), ...fields(config['rope_parameters']) }
  const theta = rope['rope_theta'] ?? config['rope_theta'] ?? 10000
  const partial = rope['partial_rotary_factor'] ?? config['partial_rotary_factor'] ?? 1
  if (partial !== 1) throw unsupported(path, `RoPE on a part of the head (partial_rotary_factor ${partial})`)
  return { ropeTheta: positive(theta, 'rope_theta', path), ropeScaling: hfScaling(rope, path) }
}

function hfScaling(rope: Record<string, unknown>, path: string): Scaling {
  const type = rope['rope_type'] ?? rope['type'] ?? 'default'
  const value = (name: string) => positive(rope[name], name, path)
  if (type === 'default') return undefined
  if (type === 'linear') return { type, factor: value('factor') }
  if (type !== 'llama3') throw unsupported(path, `RoPE scaling of type ${JSON.stringify(type)}`)
  return {
    type,
    factor: value('factor'),
    lowFreqFactor: value('low_freq_factor'),
    highFreqFactor: value('high_freq_factor'),
    originalContextLength: value('original_max_position_embeddings'),
  }
}

function positive(value: unknown, name: string, path: string): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value
  throw invalidConfig(path, `${name} is ${JSON.stringify(value)}`)
}

/**
 * What Llama-3 scaling divides each inverse frequency by: 1 for short wavelengths, `factor` for long ones, between them
 * a blend. [headDim / 2]. Formula: `_compute_llama3_parameters` of transformers.
 */
export function llama3Divisors(scaling: Llama3, ropeTheta: number, headDim: number): number[] {
  const { factor, lowFreqFactor, highFreqFactor, originalContextLength } = scaling
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * ropeTheta ** ((2 * i) / headDim)
    if (wavelength < originalContextLength / highFreqFactor) return 1
    if (wavelength > originalContextLength / lowFreqFactor) return factor
    const smooth = (originalContextLength / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}

/**
 * GGUF files keep Llama-3 scaling as the divisors alone (`rope_freqs.weight`). Every published model of that kind has
 * factors 1 and 4 over an original context of 8192; those are tried, and believed only if they give the same numbers.
 */
export function recoverLlama3(
  list: number[],
  ropeTheta: number,
  headDim: number,
  contexts: number[],
): Scaling | 'unknown' {
  if (list.every((d) => d === 1)) return undefined
  for (const originalContextLength of new Set([8192, ...contexts])) {
    const guess: Llama3 = {
      type: 'llama3',
      factor: Math.max(...list),
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalContextLength,
    }
    const ours = llama3Divisors(guess, ropeTheta, headDim)
    if (ours.length === list.length && ours.every((d, i) => Math.abs(d - list[i]!) <= 1e-4 * d)) return guess
  }
  return 'unknown'
}
