/**
 * A hold's blocks as bytes, out and in. Both sides hash in slices and let steps run in between, so that a large
 * transfer does not hold up decodes.
 * @module
 */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { VolleyError } from '../../errors.ts'
import type { KvCache } from '../../kv/cache.ts'
import { blockFloats } from '../../kv/pool.ts'
import type { HoldContent, HoldInfo } from '../engine.ts'
import { givenProblem } from './check.ts'
import { Hold } from './holds.ts'

/** About 4 ms of SHA-256. */
const SLICE_BYTES = 4 * 1024 * 1024

/** SHA-256 (hex) over the bytes. */
async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    if (at > 0) await setImmediate()
    hash.update(bytes.subarray(at, at + SLICE_BYTES))
  }
  return hash.digest('hex')
}

/** Copies the hold's blocks, in order, at once; the digest comes later. */
export async function exportBlocks(cache: KvCache, hold: Hold): Promise<{ bytes: Uint8Array; digest: string }> {
  const floats = blockFloats(cache.pool.shape)
  const { blocks } = hold.table
  const copy = new Float32Array(new SharedArrayBuffer(blocks.length * floats * Float32Array.BYTES_PER_ELEMENT))
  blocks.forEach((block, i) => copy.set(cache.pool.block(block), i * floats))
  const bytes = new Uint8Array(copy.buffer)
  return { bytes, digest: await digestOf(bytes) }
}

/** What an engine takes only from its equals. */
export interface ImportRules {
  numerics: string
  blockBytes: number
  contextLength: number
}

/** A hold made of exported bytes, in fresh blocks. Errors: `transfer_failed`, `kv_exhausted`. */
export async function importBlocks(
  cache: KvCache,
  info: HoldInfo & HoldContent,
  bytes: Uint8Array,
  digest: string,
  rules: ImportRules,
): Promise<Hold> {
  const problem = mismatch(cache, info, bytes, rules)
  if (problem) throw refused(info, problem)
  const reservation = cache.allocator.reserve(info.blocks)
  try {
    if ((await digestOf(bytes)) !== digest) throw refused(info, 'the bytes do not match their digest')
    const table = cache.table()
    table.prepare(0, info.tokens, reservation)
    const floats = floatsOf(bytes)
    const size = blockFloats(cache.pool.shape)
    table.blocks.forEach((block, i) => cache.pool.block(block).set(floats.subarray(i * size, (i + 1) * size)))
    const hold = new Hold(info.hold, info.tokenIds, table, cache.chain(info.given))
    cache.remember(hold.tokens, hold.chain, table, hold.tokens.length)
    return hold
  } finally {
    reservation.release()
  }
}

function mismatch(
  cache: KvCache,
  info: HoldInfo & HoldContent,
  bytes: Uint8Array,
  { numerics, blockBytes, contextLength }: ImportRules,
): string | undefined {
  const { tokens, blocks } = info
  if (info.numerics !== numerics) return `its numerics are ${info.numerics}, this engine's are ${numerics}`
  if (tokens < 1 || tokens >= contextLength) return `it has ${tokens} tokens, this engine's context ${contextLength}`
  if (info.tokenIds.length !== tokens) return `it has ${tokens} tokens and ${info.tokenIds.length} token ids`
  const misplaced = givenProblem(info.given ?? [], tokens)
  if (misplaced) return misplaced
  if (cache.blocksFor(tokens) !== blocks) return `${tokens} tokens do not take ${blocks} blocks here`
  if (blocks * blockBytes !== bytes.length) {
    return `${blocks} blocks take ${blocks * blockBytes} bytes, not ${bytes.length}`
  }
  return undefined
}

const refused = (info: HoldInfo, problem: string) =>
  new VolleyError('transfer_failed', `Cannot import the KV of "${info.hold}": ${problem}`, {
    remedy: 'Pull it again, or prefill the prompt here.',
  })

/** The bytes as floats; copied only where they do not lie on a float's boundary. */
function floatsOf(bytes: Uint8Array): Float32Array {
  const { BYTES_PER_ELEMENT } = Float32Array
  if (bytes.byteOffset % BYTES_PER_ELEMENT !== 0) return floatsOf(Uint8Array.from(bytes))
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / BYTES_PER_ELEMENT)
}
