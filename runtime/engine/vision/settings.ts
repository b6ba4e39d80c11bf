/**
 * How a model wants its pictures cut and scaled: the image processor's settings in a Hugging Face directory. Knows no
 * weights and computes nothing.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { VolleyError } from '../../errors.ts'
import { fields, readJson } from '../load/json-file.ts'
import { hfVisionConfig } from '../load/vision-config.ts'

type Raw = Record<string, unknown>

export interface ImageSettings {
  /** Side of a tile, in pixels: what the encoder sees at once. */
  tileSize: number
  /** The longer side is scaled to this, up or down, before a picture is cut. */
  longestEdge: number
  /** Whether pictures are cut at all; if not, each becomes one tile. */
  splitting: boolean
  /** Level 0..255 of a channel to what the encoder reads: (level - mean) / deviation, in single precision. */
  mean: readonly [number, number, number]
  deviation: readonly [number, number, number]
  /** Tokens that a tile becomes. */
  tileTokens: number
}

/** Pillow's number of the one resampling that is computed here. */
const LANCZOS = 1

/**
 * Settings of the model in `directory`, held against its encoder; undefined when it has none and takes no pictures.
 * Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported`.
 */
export function readImageSettings(directory: string): ImageSettings | undefined {
  const encoder = hfVisionConfig(directory)
  if (encoder === undefined) return undefined
  const path = join(directory, 'processor_config.json')
  const raw = processorSettings(directory, path)
  refuseVariants(raw, path)
  const factor = raw['rescale_factor'] ?? 1 / 255
  if (typeof factor !== 'number' || !(factor > 0)) throw invalid(path, `rescale_factor ${JSON.stringify(factor)}`)
  const { imageSize, patchSize, scaleFactor } = encoder
  const tokens = (imageSize / (patchSize * scaleFactor)) ** 2
  const settings: ImageSettings = {
    tileSize: size(fields(raw['max_image_size'])['longest_edge'] ?? 364, 'max_image_size', path),
    longestEdge: size(fields(raw['size'])['longest_edge'] ?? 4 * 364, 'size', path),
    splitting: raw['do_image_splitting'] !== false,
    mean: scaled(raw['image_mean'], 'image_mean', factor, path),
    deviation: scaled(raw['image_std'], 'image_std', factor, path),
    tileTokens: size(raw['image_seq_len'] ?? tokens, 'image_seq_len', path),
  }
  if (settings.tileSize !== imageSize || settings.tileTokens !== tokens) {
    const theirs = `${settings.tileSize} pixels and ${settings.tileTokens} tokens`
    throw invalid(path, `it makes tiles of ${theirs}, its encoder of ${imageSize} pixels and ${tokens} tokens`)
  }
  return settings
}

/**
 * Since transformers 5 processor_config.json holds the settings of all processors; before, the image processor had a
 * file of its own beside it.
 */
function processorSettings(directory: string, path: string): Raw {
  const own = join(directory, 'preprocessor_config.json')
  const found = [own, path].filter((file) => existsSync(file))
  if (found.length > 0) {
    const all = Object.assign({}, ...found.map(readJson)) as Raw
    return { ...all, ...fields(all['image_processor']) }
  }
  throw new VolleyError('model_file_missing', `${directory} has an encoder for pictures but no settings for them`, {
    remedy: 'download preprocessor_config.json, or processor_config.json, too.',
    param: path,
  })
}

function refuseVariants(raw: Raw, path: string): void {
  const type = String(raw['image_processor_type'] ?? '')
  if (!/^(Idefics3|SmolVLM)ImageProcessor(Fast|Pil)?$/.test(type)) {
    throw unsupported(path, `the image processor ${JSON.stringify(type)}`)
  }
  if (raw['do_resize'] === false || raw['do_rescale'] === false || raw['do_normalize'] === false) {
    throw unsupported(path, 'pictures that are not resized, rescaled and normalised')
  }
  if ((raw['resample'] ?? LANCZOS) !== LANCZOS) throw unsupported(path, `resampling ${String(raw['resample'])}`)
}

function size(value: unknown, name: string, path: string): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 16384) return value as number
  throw invalid(path, `${name} is ${JSON.stringify(value)}`)
}

/** Mean or deviation of levels 0..1 as one of levels 0..255, multiplied in single precision as transformers does. */
function scaled(value: unknown, name: string, factor: number, path: string): readonly [number, number, number] {
  const list = value ?? [0.5, 0.5, 0.5]
  const sound = Array.isArray(list) && list.length === 3 &&
    list.every((x) => Number.isFinite(x) && (name === 'image_mean' || x > 0))
  if (!sound) throw invalid(path, `${name} is ${JSON.stringify(value)}`)
  const [r, g, b] = (list as number[]).map((x) => Math.fround(Math.fround(x) * Math.fround(1 / factor)))
  return [r!, g!, b!]
}

function unsupported(path: string, what: string): VolleyError {
  return new VolleyError('model_unsupported', `${path} asks for ${what}, which is not supported`, {
    remedy: 'use a model of the Idefics3 or SmolVLM family.',
    param: path,
  })
}

function invalid(path: string, why: string): VolleyError {
  return new VolleyError('model_file_invalid', `The image processor of ${path} is not sound: ${why}`, {
    remedy: 'download it again.',
    param: path,
  })
}
