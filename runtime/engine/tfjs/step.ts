/**
 * Lays the chunks of one step out as rows of one batch, and checks them: a wrong table would read or overwrite another
 * sequence's cache without a sound.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import type { KvPool } from '../../kv/pool.ts'
import type { Chunk, GivenRows } from '../forward.ts'
import type { DecoderConfig } from '../load/source.ts'

/** One chunk as rows row .. row + rows - 1 of the batch, at positions start .. start + rows - 1. */
export interface Span {
  row: number
  rows: number
  start: number
  /** Pool blocks of the sequence, in order. */
  table: ArrayLike<number>
}

export interface Step {
  /** Those of the chunks, and behind them those that only pad. */
  rows: number
  tokens: Int32Array
  /** As in the chunks, counted from the batch's first row. */
  given: GivenRows[]
  positions: Int32Array
  spans: Span[]
  /** Rows whose logits are wanted, in order; behind them those that only pad. */
  wanted: Int32Array
}

const fail = (message: string): never => {
  throw new VolleyError('engine_failed', message, { remedy: 'report this: the engine was handed a malformed step' })
}

function check({ tokens, start, table, given = [] }: Chunk, config: DecoderConfig, pool: KvPool): void {
  const end = start + tokens.length
  if (!(start >= 0) || tokens.length === 0) fail(`A chunk of ${tokens.length} tokens at ${start} cannot run`)
  const blocks = Math.ceil(end / pool.shape.blockTokens)
  if (table.length < blocks) fail(`A chunk that ends at ${end} needs ${blocks} KV blocks and has ${table.length}`)
  for (let i = 0; i < blocks; i++) {
    const block = table[i] as number
    if (!(block >= 0 && block < pool.blocks)) fail(`KV block ${block} is not in a pool of ${pool.blocks}`)
  }
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as number
    if (!(token >= 0 && token < config.vocabSize)) fail(`Token ${token} is not in a vocabulary of ${config.vocabSize}`)
  }
  for (const { at, vectors } of given) {
    const rows = vectors.length / config.hiddenSize
    if (!Number.isInteger(rows) || !(at >= 0 && at + rows <= tokens.length)) {
      fail(`${rows} given vectors of ${config.hiddenSize} at row ${at} do not fit a chunk of ${tokens.length}`)
    }
  }
}

/**
 * With fewer rows (or wanted rows, if any) than `leastRows`, the first is repeated: it writes no K and V and nobody
 * reads its logits. Error: `engine_failed` when a chunk does not fit its table, the pool or the vocabulary.
 */
export function planStep(chunks: readonly Chunk[], config: DecoderConfig, pool: KvPool, leastRows = 1): Step {
  const { layers, kvDim } = pool.shape
  if (layers !== config.layers || kvDim !== config.kvHeads * config.headDim) {
    fail(`A pool of ${layers} layers of ${kvDim} does not fit ${config.layers} of ${config.kvHeads * config.headDim}`)
  }
  const rows = Math.max(leastRows, chunks.reduce((sum, chunk) => sum + chunk.tokens.length, 0))
  const rowTokens = new Int32Array(rows)
  const positions = new Int32Array(rows)
  const given: GivenRows[] = []
  const spans: Span[] = []
  const wanted: number[] = []
  let row = 0
  for (const chunk of chunks) {
    check(chunk, config, pool)
    const { tokens, start, table, logits } = chunk
    const count = tokens.length
    rowTokens.set(tokens, row)
    for (const { at, vectors } of chunk.given ?? []) given.push({ at: row + at, vectors })
    for (let i = 0; i < count; i++) positions[row + i] = start + i
    spans.push({ row, rows: count, start, table })
    for (let i = logits === 'all' ? 0 : count - 1; logits !== 'none' && i < count; i++) wanted.push(row + i)
    row += count
  }
  rowTokens.fill(rowTokens[0] ?? 0, row)
  positions.fill(positions[0] ?? 0, row)
  while (wanted.length > 0 && wanted.length < leastRows) wanted.push(wanted[0] as number)
  return { rows, tokens: rowTokens, given, positions, spans, wanted: Int32Array.from(wanted) }
}
