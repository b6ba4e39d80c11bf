/**
 * Fetches pictures over http(s), from listed hosts only, and never from inside: a host's addresses are looked up once,
 * held against what is public, and the connection goes to just those. Knows bytes; not whether they are a picture.
 * @module
 */
import { lookup } from 'node:dns/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Clock } from '../../../runtime/clock.ts'
import { isVolleyError, VolleyError } from '../../../runtime/errors.ts'
import { isPublicAddress } from './address.ts'

export interface RemoteOptions {
  /** `NAME`, for the scheme's own port, or `NAME:PORT`. */
  hosts: readonly string[]
  clock: Clock
  /** Of one picture. */
  maxBytes: number
  /** From the look-up to the last byte, all redirects included. */
  timeoutMs: number
  maxRedirects: number
  /** Addresses of a name. @default {the system's} */
  resolve?: (name: string) => Promise<string[]>
  /**
   * Which addresses may be connected to. No setting leads here: only a test has reason to ask itself.
   * @default {isPublicAddress}
   */
  mayConnect?: (address: string) => boolean
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const HEADERS = { accept: 'image/png, image/jpeg, image/webp, image/gif', 'accept-encoding': 'identity', 'user-agent': 'volley' }
const MAX_URL_CHARS = 8192

export class RemotePictures {
  readonly #options: RemoteOptions
  readonly #hosts: ReadonlySet<string>

  constructor(options: RemoteOptions) {
    this.#options = options
    this.#hosts = new Set(options.hosts.map((host) => host.toLowerCase()))
  }

  /**
   * `grow` hears of every piece before it is kept, and may throw. Errors: `image_url_refused`, `image_fetch_failed`,
   * `image_too_large`, `cancelled`.
   */
  async fetch(text: string, signal: AbortSignal, grow: (bytes: number) => void): Promise<Uint8Array> {
    const { clock, timeoutMs } = this.#options
    const first = this.#allowed(text)
    const { promise: stopped, reject } = Promise.withResolvers<never>()
    const abort = new AbortController()
    const stop = (error: VolleyError) => {
      reject(error)
      abort.abort(error)
    }
    const onAbort = () => stop(new VolleyError('cancelled', 'The picture was not fetched: its request was cancelled'))
    const stopTimer = clock.setTimer(timeoutMs, () => stop(failed(first, `it did not arrive within ${timeoutMs} ms`)))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      // Raced, for not all that is waited for below hears the signal.
      return await Promise.race([stopped, this.#follow(first, abort.signal, grow)])
    } finally {
      stopTimer()
      signal.removeEventListener('abort', onAbort)
      abort.abort()
    }
  }

  async #follow(first: URL, signal: AbortSignal, grow: (bytes: number) => void): Promise<Uint8Array> {
    let url = first
    for (let redirects = 0; redirects <= this.#options.maxRedirects; redirects++) {
      const response = await connect(url, await this.#addresses(url), signal)
      try {
        const status = response.statusCode ?? 0
        if (!REDIRECTS.has(status)) return await this.#body(url, response, grow)
        url = this.#next(url, response.headers.location)
      } finally {
        response.destroy()
      }
    }
    throw failed(first, `it is redirected more than ${this.#options.maxRedirects} times`)
  }

  #next(from: URL, location: string | undefined): URL {
    if (location === undefined) throw failed(from, 'it is redirected to nowhere')
    const url = this.#allowed(location, from)
    if (from.protocol === 'https:' && url.protocol === 'http:') throw refused('it is redirected from https to http')
    return url
  }

  #allowed(text: string, base?: URL): URL {
    if (text.length > MAX_URL_CHARS) throw refused(`it is longer than ${MAX_URL_CHARS} characters`)
    const url = URL.parse(text, base)
    if (url === null) throw refused('it is no URL')
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused('only data:, http: and https: are known here')
    if (url.username !== '' || url.password !== '') throw refused('it holds a name or a password')
    // `host` has a port only where it is not the scheme's own.
    const ports = url.port === '' ? [url.host, `${url.host}:${url.protocol === 'https:' ? 443 : 80}`] : [url.host]
    if (ports.some((host) => this.#hosts.has(host))) return url
    throw refused(`${base ? 'it is redirected to a host that' : 'its host'} is not on this server's list`)
  }

  /** All of a host's addresses; one that is not public spoils the others. */
  async #addresses(url: URL): Promise<string[]> {
    const { resolve = systemResolve, mayConnect = isPublicAddress } = this.#options
    const addresses = isIP(url.hostname) ? [url.hostname] : await resolve(url.hostname).catch((cause: unknown) => {
      throw failed(url, 'its host is not known', cause)
    })
    if (addresses.length === 0) throw failed(url, 'its host has no address')
    if (!addresses.every(mayConnect)) throw refused('its host is not on the public internet')
    return addresses
  }

  async #body(url: URL, response: http.IncomingMessage, grow: (bytes: number) => void): Promise<Uint8Array> {
    const { maxBytes } = this.#options
    const { statusCode, headers } = response
    if (statusCode !== 200) throw failed(url, `its host answered ${statusCode}`)
    if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw failed(url, 'its host packed it again')
    if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
    const chunks: Uint8Array[] = []
    let length = 0
    try {
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        length += chunk.length
        if (length > maxBytes) throw tooLarge(maxBytes)
        grow(chunk.length)
        chunks.push(chunk)
      }
    } catch (cause) {
      throw isVolleyError(cause) ? cause : failed(url, reason(cause), cause)
    }
    if (!response.complete) throw failed(url, 'it broke off')
    return Buffer.concat(chunks)
  }
}

/** The head of an answer from one of `addresses`, whatever the name resolves to by now. */
function connect(url: URL, addresses: readonly string[], signal: AbortSignal): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { Agent, request } = url.protocol === 'https:' ? https : http
    // An agent of its own: no proxy that the environment names, no connection that was made after another look-up.
    const sent = request(url, { agent: new Agent({ proxyEnv: {} }), headers: HEADERS, lookup: pinned(addresses) })
    signal.addEventListener('abort', () => sent.destroy(), { once: true })
    if (signal.aborted) sent.destroy()
    sent.on('response', resolve)
      .on('error', (cause) => reject(failed(url, reason(cause), cause)))
      .on('upgrade', (_, socket) => {
        socket.destroy()
        reject(failed(url, 'its host wants another protocol'))
      })
      .end()
  })
}

/** A look-up that knows its answer. */
function pinned(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) })).sort((a, b) => a.family - b.family)
  return (_, { all: wantsAll }, answer) => {
    if (wantsAll) answer(null, all)
    else answer(null, all[0]!.address, all[0]!.family)
  }
}

const systemResolve = async (name: string): Promise<string[]> =>
  (await lookup(name, { all: true })).map(({ address }) => address)

/** A code, not the text: that may name addresses. */
const reason = (cause: unknown): string => (cause as { code?: string }).code ?? 'the connection broke'

const refused = (why: string): VolleyError =>
  new VolleyError('image_url_refused', `The picture's URL is not fetched: ${why}`, {
    remedy: 'send the picture itself as a data: URL.',
  })

const failed = ({ host }: URL, why: string, cause?: unknown): VolleyError =>
  new VolleyError('image_fetch_failed', `The picture could not be fetched from ${host}: ${why}`, {
    remedy: 'correct the URL, or send the picture itself as a data: URL.',
    ...(cause !== undefined && { cause }),
  })

const tooLarge = (maxBytes: number): VolleyError =>
  new VolleyError('image_too_large', `The picture has more than ${maxBytes} bytes`, {
    remedy: 'scale it down before sending it.',
  })
