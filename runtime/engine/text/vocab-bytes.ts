/**
 * The bytes each token stands for. Three conventions are known: byte-level BPE (a character a byte), SentencePiece
 * (U+2581 for a space, `<0x0A>` for a byte) and plain text. Knows nothing of encoding.
 * @module
 */
import { VolleyError } from '../../errors.ts'
import { fields } from '../load/json-file.ts'
import type { TokenizerJson } from './parts.ts'

/** How token text becomes bytes. */
export interface ByteRule {
  bytes(token: string): Uint8Array
  /** One space at the start of a whole text is not shown. */
  stripsLeadingSpace: boolean
}

const encoder = new TextEncoder()

/**
 * GPT-2's alphabet: printable Latin-1 characters stand for their own byte, the other 68 bytes for U+0100 and up.
 * Source: `bytes_to_unicode` of GPT-2's encoder.py.
 */
export function byteLevelAlphabet(): Map<string, number> {
  const alphabet = new Map<string, number>()
  let next = 256
  for (let byte = 0; byte < 256; byte++) {
    const own = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    alphabet.set(String.fromCharCode(own ? byte : next++), byte)
  }
  return alphabet
}

/** The rule of a tokenizer.json's decoder. Errors: `model_unsupported` for decoders that are none of the three. */
export function byteRule(decoder: TokenizerJson['decoder'], path: string): ByteRule {
  const steps = flatten(decoder)
  const types = steps.map((step) => step['type'])
  const known = new Set<unknown>(['ByteLevel', 'Replace', 'ByteFallback', 'Fuse', 'Strip', 'Metaspace'])
  const unknown = types.find((type) => !known.has(type))
  if (unknown !== undefined) {
    throw new VolleyError(
      'model_unsupported',
      `${path}: the tokenizer's decoder ${JSON.stringify(unknown)} is not known`,
      {
        remedy: 'use a model with a byte-level or SentencePiece tokenizer.',
        param: path,
      },
    )
  }
  if (types.includes('ByteLevel')) return { bytes: byteLevel(byteLevelAlphabet()), stripsLeadingSpace: false }
  const metaspace = steps.find((step) => step['type'] === 'Metaspace')
  const strip = steps.find((step) => step['type'] === 'Strip')
  const replaced = steps.flatMap((step) => (step['type'] === 'Replace' ? [replacement(step)] : []))
  if (metaspace) replaced.push([String(metaspace['replacement'] ?? '\u2581'), ' '])
  return {
    bytes: pieces(replaced, types.includes('ByteFallback')),
    stripsLeadingSpace: (strip !== undefined && Number(strip['start'] ?? 0) > 0) || prepends(metaspace),
  }
}

const prepends = (metaspace: Record<string, unknown> | undefined): boolean =>
  metaspace !== undefined && metaspace['prepend_scheme'] !== 'never' && metaspace['add_prefix_space'] !== false

function flatten(decoder: TokenizerJson['decoder']): Record<string, unknown>[] {
  if (decoder === null) return []
  if (decoder['type'] !== 'Sequence') return [decoder]
  return Array.isArray(decoder['decoders']) ? decoder['decoders'].flatMap((step) => flatten(fields(step))) : []
}

function replacement(step: Record<string, unknown>): [from: string, to: string] {
  return [String(fields(step['pattern'])['String'] ?? ''), String(step['content'] ?? '')]
}

const byteLevel = (alphabet: Map<string, number>) => (token: string): Uint8Array => {
  const bytes: number[] = []
  for (const character of token) {
    const byte = alphabet.get(character)
    // A token outside the alphabet is plain text: an added one that was not listed as such.
    if (byte === undefined) return encoder.encode(token)
    bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

const pieces = (replaced: [from: string, to: string][], byteFallback: boolean) => (token: string): Uint8Array => {
  const byte = byteFallback ? /^<0x([0-9A-F]{2})>$/i.exec(token)?.[1] : undefined
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16))
  return encoder.encode(replaced.reduce((text, [from, to]) => (from ? text.replaceAll(from, to) : text), token))
}
