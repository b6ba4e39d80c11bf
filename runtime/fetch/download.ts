/**
 * One file over HTTP: goes on where a broken connection left off, and is in its place only when it is whole and right.
 * Knows nothing of models or of who serves them.
 * @module
 */
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { realClock, sleep } from '../clock.ts'
import { isVolleyError, VolleyError } from '../errors.ts'
import { checkSha256 } from './checksum.ts'

/** What {@linkcode download} is told. */
export interface DownloadOptions {
  /** Where the file goes; what is there of it waits beside it as `.partial`. */
  target: string
  /** Expected SHA-256, hex; left out = only the size is checked. */
  sha256?: string
  /** Expected bytes, where known. */
  bytes?: number
  headers?: Record<string, string>
  /** A connection that is silent for so long is given up. @default {30000} */
  stallMs?: number
  /** Attempts in a row without a new byte before it fails. @default {5} */
  attempts?: number
  /** First pause between attempts; doubles. @default {500} */
  pauseMs?: number
  onBytes?: (bytes: number, totalBytes: number | undefined) => void
  signal?: AbortSignal
}

/** Errors: `download_failed` (also: not there, not allowed), `checksum_mismatch`; aborting rejects with the reason. */
export async function download(url: string, options: DownloadOptions): Promise<void> {
  const { target, sha256, attempts = 5, pauseMs = 500, signal } = options
  const partial = `${target}.partial`
  await mkdir(dirname(target), { recursive: true })
  const resumed = await sizeOf(partial) > 0
  for (let failures = 0, pause = pauseMs;;) {
    const before = await sizeOf(partial)
    try {
      await receive(url, partial, before, options)
      break
    } catch (error) {
      signal?.throwIfAborted()
      if (isVolleyError(error)) throw error
      failures = (await sizeOf(partial)) > before ? 0 : failures + 1
      if (failures >= attempts) throw failed(url, (error as Error).cause ?? error)
      pause = failures === 0 ? pauseMs : Math.min(pause * 2, 30_000)
      await sleep(realClock, pause, signal)
    }
  }
  try {
    if (sha256 !== undefined) await checkSha256(partial, [sha256], url)
  } catch (error) {
    await rm(partial, { force: true })
    // What an earlier run left may be of another version of the file: once more from the start.
    if (resumed) return download(url, options)
    throw error
  }
  await rename(partial, target)
}

/** One connection: from byte `from` to the end. */
async function receive(url: string, partial: string, from: number, options: DownloadOptions): Promise<void> {
  const { bytes, headers = {}, stallMs = 30_000, onBytes, signal } = options
  if (bytes !== undefined && from === bytes) return
  const stalled = new AbortController()
  let timer = setTimeout(() => stalled.abort(new Error(`silent for ${stallMs / 1000} s`)), stallMs)
  try {
    const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {}
    const both = signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal
    // Identity: a range is of the bytes as stored.
    const response = await fetch(url, {
      headers: { 'accept-encoding': 'identity', ...headers, ...range },
      signal: both,
    })
    if (response.status === 416) await rm(partial, { force: true })
    if (!response.ok || response.body === null) refuse(url, response)
    const start = response.status === 206 ? from : 0
    const length = Number(response.headers.get('content-length') ?? Number.NaN)
    const total = bytes ?? (Number.isNaN(length) ? undefined : start + length)
    let at = start
    const count = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        at += chunk.length
        timer = rearm(timer, stalled, stallMs)
        onBytes?.(at, total)
        done(null, chunk)
      },
    })
    await pipeline(
      response.body as AsyncIterable<Uint8Array>,
      count,
      createWriteStream(partial, { flags: start > 0 ? 'a' : 'w' }),
    )
    if (total !== undefined && at !== total) {
      if (at > total) await rm(partial, { force: true })
      throw new Error(`the connection ended after ${at} of ${total} bytes`)
    }
  } finally {
    clearTimeout(timer)
  }
}

function rearm(timer: NodeJS.Timeout, stalled: AbortController, stallMs: number): NodeJS.Timeout {
  clearTimeout(timer)
  return setTimeout(() => stalled.abort(new Error(`silent for ${stallMs / 1000} s`)), stallMs)
}

/** Throws what another attempt cannot mend as `download_failed`, the rest as a plain error. */
function refuse(url: string, response: Response): never {
  const { status, statusText } = response
  if (status >= 500 || status === 408 || status === 416 || status === 429) {
    throw new Error(`HTTP ${status} ${statusText}`)
  }
  throw failed(
    url,
    `HTTP ${status} ${statusText}`.trim(),
    status === 401 || status === 403 ? 'set HF_TOKEN to a token that may read it' : undefined,
  )
}

function failed(
  url: string,
  why: unknown,
  remedy = 'check the name and the network, then run the same again: it goes on where it stopped',
): VolleyError {
  const reason = why instanceof Error ? why.message : String(why)
  return new VolleyError('download_failed', `Cannot download ${url}: ${reason}`, { cause: why, remedy })
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}
