/**
 * What goes over a socket besides the bytes themselves: one request (a length and JSON), then answers with a fixed
 * head: magic, status, length of the text, size. A `wait` answer is followed by another; `go` by the digest and the
 * bytes; a refusal by nothing.
 * @module
 */
import { REFUSALS } from './failure.ts'
import type { Credentials, Refusal } from './offers.ts'

const MAGIC = 0x564c5431
/** Magic and length. */
const REQUEST_HEAD_BYTES = 6
/** Far more than a ticket's credentials need: whoever sends more is not one of ours. */
const MAX_REQUEST_BYTES = 1_024
/** Magic, status, text length, two spare bytes, size. */
export const ANSWER_HEAD_BYTES = 16

const GO = 0
const WAIT = 1
const FIRST_REFUSAL = 2

/** The parsed head of an answer. `digestBytes` of text and then `bytes` of content follow a `go`. */
export type AnswerHead = { kind: 'go'; bytes: number; digestBytes: number } | { kind: 'wait' } | { kind: Refusal }

export function encodeRequest({ offer, secret, attempt }: Credentials): Buffer {
  const body = Buffer.from(JSON.stringify({ offer, secret, attempt }))
  const head = Buffer.alloc(REQUEST_HEAD_BYTES)
  head.writeUInt32BE(MAGIC, 0)
  head.writeUInt16BE(body.length, 4)
  return Buffer.concat([head, body])
}

/** The request once it is complete; undefined while it is not; `invalid` when it will never be one. */
export function decodeRequest(data: Buffer): Credentials | undefined | 'invalid' {
  if (data.length < REQUEST_HEAD_BYTES) return undefined
  const length = data.readUInt16BE(4)
  if (data.readUInt32BE(0) !== MAGIC || length > MAX_REQUEST_BYTES) return 'invalid'
  if (data.length < REQUEST_HEAD_BYTES + length) return undefined
  try {
    const value = JSON.parse(data.toString('utf8', REQUEST_HEAD_BYTES, REQUEST_HEAD_BYTES + length)) as Partial<
      Credentials
    >
    const { offer, secret, attempt } = value
    const valid = typeof offer === 'string' && typeof secret === 'string' && typeof attempt === 'number'
    return valid ? { offer, secret, attempt } : 'invalid'
  } catch {
    return 'invalid'
  }
}

function head(status: number, textBytes: number, bytes: number): Buffer {
  const out = Buffer.alloc(ANSWER_HEAD_BYTES)
  out.writeUInt32BE(MAGIC, 0)
  out.writeUInt8(status, 4)
  out.writeUInt8(textBytes, 5)
  out.writeBigUInt64BE(BigInt(bytes), 8)
  return out
}

/** Head of the bytes that follow, with their digest. */
export function encodeGo(bytes: number, digest: string): Buffer {
  const text = Buffer.from(digest)
  return Buffer.concat([head(GO, text.length, bytes), text])
}

export const encodeWait = (): Buffer => head(WAIT, 0, 0)

export const encodeRefusal = (refusal: Refusal): Buffer => head(FIRST_REFUSAL + REFUSALS.indexOf(refusal), 0, 0)

/** Reads exactly ANSWER_HEAD_BYTES; undefined when that is no answer of ours. */
export function decodeAnswerHead(data: Buffer): AnswerHead | undefined {
  if (data.readUInt32BE(0) !== MAGIC) return undefined
  const status = data.readUInt8(4)
  if (status === GO) return { kind: 'go', digestBytes: data.readUInt8(5), bytes: Number(data.readBigUInt64BE(8)) }
  if (status === WAIT) return { kind: 'wait' }
  const refusal = REFUSALS[status - FIRST_REFUSAL]
  return refusal && { kind: refusal }
}
