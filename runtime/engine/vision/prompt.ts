/**
 * Makes room for pictures in a prompt: each placeholder that the chat template wrote becomes the tokens of the
 * picture's tiles, with marks of row and column between them. What a user typed is never taken for a placeholder: the
 * text model has made plain text of it before.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { TextModel } from '../text.ts'
import type { ImageLayout } from './layout.ts'
import type { ImageSettings } from './settings.ts'

/** A prompt with room for its pictures. */
export interface ImagePrompt {
  tokens: number[]
  /**
   * For each picture, for each of its tiles (the view of the whole last): position of the first of `tileTokens`
   * consecutive tokens, whose embeddings are the encoder's.
   */
  tileStarts: number[][]
}

/** Answers what {@linkcode ImagePrompt} says for ids of `TextModel.chat` and the layout of each picture, in order. */
export type ExpandImages = (ids: readonly number[], layouts: readonly ImageLayout[]) => ImagePrompt

/**
 * Tokens are looked up by their text: models number them differently. Errors: `model_unsupported` when the tokenizer
 * lacks one. The function made: `invalid_request` when the template left room for another number of pictures,
 * `model_unsupported` when the model has no mark for a row or column.
 */
export function imageExpander(text: TextModel, { tileTokens }: ImageSettings): ExpandImages {
  const image = tokenOf(text, '<image>')
  const fake = tokenOf(text, '<fake_token_around_image>')
  const whole = tokenOf(text, '<global-img>')
  const rowEnd = text.encode('\n', { special: true })
  const lastRowEnd = text.encode('\n\n', { special: true })
  const marks = new Map<string, number>()
  const mark = (row: number, col: number): number => {
    const name = `<row_${row + 1}_col_${col + 1}>`
    const id = marks.get(name) ?? tokenOf(text, name)
    marks.set(name, id)
    return id
  }

  const addPicture = (out: number[], { rows, cols }: ImageLayout): number[] => {
    const starts: number[] = []
    const tile = (name: number) => {
      out.push(fake, name)
      starts.push(out.length)
      for (let i = 0; i < tileTokens; i++) out.push(image)
    }
    for (let row = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++) tile(mark(row, col))
      out.push(...(row < rows - 1 ? rowEnd : lastRowEnd))
    }
    tile(whole)
    out.push(fake)
    return starts
  }

  return (ids, layouts) => {
    const places = ids.filter((id) => id === image).length
    if (places !== layouts.length) {
      const why = `The chat has ${layouts.length} pictures, and the model's template leaves room for ${places}`
      throw new VolleyError('invalid_request', why, {
        remedy: 'put pictures where the model expects them: in messages of the user.',
        param: 'messages',
      })
    }
    const tokens: number[] = []
    const tileStarts: number[][] = []
    for (const id of ids) {
      if (id === image) tileStarts.push(addPicture(tokens, layouts[tileStarts.length]!))
      else tokens.push(id)
    }
    return { tokens, tileStarts }
  }
}

function tokenOf(text: TextModel, content: string): number {
  const ids = text.encode(content, { special: true })
  if (ids.length === 1) return ids[0]!
  throw new VolleyError('model_unsupported', `Model ${text.name} has no token ${content}`, {
    remedy: "serve it with the tokenizer that it was published with, and its own image processor's settings.",
    param: text.name,
  })
}
