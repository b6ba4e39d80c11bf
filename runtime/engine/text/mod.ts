/**
 * Opens the text side of a model, whatever format it is in, without touching its weights.
 * @module
 */
import { type Clock, realClock } from '../../clock.ts'
import { GgufFile } from '../load/gguf.ts'
import { locateModel } from '../load/locate.ts'
import type { TextModel } from '../text.ts'
import { ggufText } from './gguf-text.ts'
import { hfText } from './hf-text.ts'
import { textModel } from './text-model.ts'

/** Options for {@linkcode openText}. */
export interface OpenTextOptions {
  /**
   * What chat templates take today's date from.
   * @default {realClock}
   */
  clock?: Clock
}

/**
 * Tokenizer and chat template of the model at `path`, found by the same rule as its weights. A model without a
 * tokenizer is no error: it serves token ids.
 * Errors: `model_file_missing`, `model_file_invalid`, `model_unsupported`.
 */
export function openText(path: string, { clock = realClock }: OpenTextOptions = {}): TextModel {
  const location = locateModel(path)
  if (location.kind === 'hf') return textModel(hfText(location.path, location.name), location.path, clock)
  const gguf = new GgufFile(location.path)
  try {
    return textModel(ggufText(gguf, location.name), location.path, clock)
  } finally {
    gguf.close()
  }
}
