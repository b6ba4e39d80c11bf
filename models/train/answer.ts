/**
 * Greedy answers of a model in this process, many questions at once: decoder, processor, encoder, prompt and language
 * model as the instances run them. Knows no right answers.
 * @module
 */
import type { Chunk, Forward } from '../../runtime/engine/forward.ts'
import { openModel, openVision } from '../../runtime/engine/load/mod.ts'
import { openText } from '../../runtime/engine/text/mod.ts'
import type { ChatMessage, TextModel } from '../../runtime/engine/text.ts'
import { tfjsEncoder, tfjsForward } from '../../runtime/engine/tfjs/mod.ts'
import { ImageDecoder } from '../../runtime/engine/vision/decode.ts'
import type { ImageEncoder } from '../../runtime/engine/vision/encoder.ts'
import { givenRows, type PlacedTile } from '../../runtime/engine/vision/given.ts'
import { processImage } from '../../runtime/engine/vision/processor.ts'
import { type ExpandImages, imageExpander } from '../../runtime/engine/vision/prompt.ts'
import { type ImageSettings, readImageSettings } from '../../runtime/engine/vision/settings.ts'
import { KvPool } from '../../runtime/kv/pool.ts'

const BLOCK_TOKENS = 16
/** Blocks of one question: prompt and answer together have at most 256 tokens. */
const BLOCKS = 16
const LONGEST = 64

/** A question, about a picture file or none. */
export interface Question {
  picture?: Uint8Array
  question: string
}

interface Row {
  tokens: number[]
  tiles: PlacedTile[]
  answer: number[]
}

export class Answerer {
  readonly #text: TextModel
  readonly #settings: ImageSettings
  readonly #expand: ExpandImages
  readonly #encoder: ImageEncoder
  readonly #forward: Forward
  readonly #decoder = new ImageDecoder()

  private constructor(model: string, encoder: ImageEncoder, forward: Forward) {
    this.#text = openText(model)
    this.#settings = readImageSettings(model)!
    this.#expand = imageExpander(this.#text, this.#settings)
    this.#encoder = encoder
    this.#forward = forward
  }

  /** Loads the model in `directory`, which must see. */
  static async open(directory: string, backend = 'wasm'): Promise<Answerer> {
    const [seeing, speaking] = [openVision(directory), openModel(directory)]
    try {
      return new Answerer(directory, await tfjsEncoder(seeing, { backend }), await tfjsForward(speaking, { backend }))
    } finally {
      seeing.close()
      speaking.close()
    }
  }

  /** The answers in order, all computed together: some dozens at most. */
  async answer(questions: readonly Question[]): Promise<string[]> {
    const rows = await Promise.all(questions.map((question) => this.#row(question)))
    const { config } = this.#forward
    const shape = { layers: config.layers, kvDim: config.kvHeads * config.headDim, blockTokens: BLOCK_TOKENS }
    const pool = new KvPool(shape, BLOCKS * rows.length)
    const tables = rows.map((_, row) => Array.from({ length: BLOCKS }, (_, i) => row * BLOCKS + i))
    let open = rows.map((_, i) => i)
    for (let step = 0; open.length > 0 && step < LONGEST; step++) {
      const chunks = open.map((i) => step === 0 ? first(rows[i]!, tables[i]!, config.hiddenSize) : next(rows[i]!, tables[i]!))
      const logits = await this.#forward.run(chunks, pool)
      open = open.filter((i, at) => {
        const token = likeliest(logits[at]!)
        if (this.#text.endTokens.includes(token)) return false
        rows[i]!.answer.push(token)
        return true
      })
    }
    return rows.map(({ answer }) => this.#text.decode(answer))
  }

  dispose(): void {
    this.#encoder.dispose()
    this.#forward.dispose()
  }

  async #row({ picture, question }: Question): Promise<Row> {
    if (picture === undefined) {
      return { tokens: this.#text.chat([{ role: 'user', content: question }]), tiles: [], answer: [] }
    }
    const processed = processImage(this.#settings, await this.#decoder.decode(picture, new AbortController().signal))
    const asked: ChatMessage = { role: 'user', content: [{ type: 'image' }, { type: 'text', text: question }] }
    const { tokens, tileStarts } = this.#expand(this.#text.chat([asked]), [processed])
    const vectors = await this.#encoder.encode(processed.pixels)
    const size = vectors.length / processed.tiles
    const tiles = tileStarts[0]!.map((start, i) => ({ start, vectors: vectors.subarray(i * size, (i + 1) * size) }))
    return { tokens, tiles, answer: [] }
  }
}

function first({ tokens, tiles }: Row, table: number[], hiddenSize: number): Chunk {
  return { tokens, given: givenRows(tiles, hiddenSize, 0, tokens.length), start: 0, table, logits: 'last' }
}

function next({ tokens, answer }: Row, table: number[]): Chunk {
  return { tokens: answer.slice(-1), start: tokens.length + answer.length - 1, table, logits: 'last', generated: true }
}

const likeliest = (row: Float32Array): number =>
  row.reduce((best, value, i) => (value > row[best]! ? i : best), 0)
