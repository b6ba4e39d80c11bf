import { once } from 'node:events'
import { createServer as createRaw } from 'node:net'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { type RemoteOptions, RemotePictures } from '../../../../actors/gateway/pictures/remote.ts'
import { realClock } from '../../../../runtime/clock.ts'
import { VolleyError } from '../../../../runtime/errors.ts'
import { testServer, type TestServer } from '../../../helpers/download-server.ts'
import { VirtualClock } from '../../../helpers/virtual-clock.ts'

const FILE = Buffer.from('any bytes: what they are is for others to say')
const never = new AbortController().signal
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A server at pictures.test, as its fake name service says; only 127.0.0.1 counts as public. */
async function site(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  options: Partial<RemoteOptions> = {},
): Promise<{ server: TestServer; at: string; port: string; remote: RemotePictures; kept: () => number; get: (path?: string) => Promise<Uint8Array> }> {
  const server = await testServer(answer)
  ends.push(() => server.close())
  const { port } = new URL(server.url)
  const remote = new RemotePictures({
    hosts: [`pictures.test:${port}`, `also.test:${port}`],
    clock: realClock,
    maxBytes: 1000,
    timeoutMs: 10_000,
    maxRedirects: 3,
    resolve: async () => ['127.0.0.1'],
    mayConnect: (address) => address === '127.0.0.1',
    ...options,
  })
  const at = `http://pictures.test:${port}`
  let kept = 0
  const get = (path = '/') => remote.fetch(at + path, never, (bytes) => void (kept += bytes))
  return { server, at, port, remote, get, kept: () => kept }
}

const code = (error: VolleyError) => error.code
/** The code of what a fetch ends with; 'fetched' if it does not. */
const outcome = (fetched: Promise<unknown>): Promise<string> => fetched.then(() => 'fetched', code)

describe('RemotePictures fetches', () => {
  test('a file from a listed host, and asks for nothing but it', async () => {
    let headers: IncomingHttpHeaders = {}
    const { get, port, kept, server } = await site((request, response) => {
      headers = request.headers
      response.end(FILE)
    })
    expect(Buffer.from(await get('/a/b.png?c=d#e'))).toEqual(FILE)
    expect(server.requests).toEqual(['GET /a/b.png?c=d'])
    expect(headers).toEqual({
      host: `pictures.test:${port}`,
      connection: 'close',
      accept: 'image/png, image/jpeg, image/webp, image/gif',
      'accept-encoding': 'identity',
      'user-agent': 'volley',
    })
    expect(kept()).toBe(FILE.length)
  })

  test('whatever case the host is written in', async () => {
    const { remote, port } = await site((_, response) => response.end(FILE))
    expect(await remote.fetch(`HTTP://PICTURES.test:${port}/`, never, () => {})).toHaveLength(FILE.length)
  })

  test('through redirects within the list, relative ones too', async () => {
    const { get, server, port } = await site((request, response) => {
      const to = { '/': '/b', '/b': `http://also.test:${port}/c`, '/c': '../d' }[request.url!]
      if (to === undefined) response.end(FILE)
      else response.writeHead(302, { location: to }).end('not this')
    })
    expect(await get()).toHaveLength(FILE.length)
    expect(server.requests).toEqual(['GET /', 'GET /b', 'GET /c', 'GET /d'])
  })
})

describe('RemotePictures refuses, and connects to nobody:', () => {
  const listed = ['pictures.test', 'pictures.test:8443', '127.0.0.1', '127.0.0.1:1234', 'localhost', '169.254.169.254', '0.0.0.0', '2130706433']
  const asked: string[] = []
  const remote = new RemotePictures({
    hosts: listed, clock: realClock, maxBytes: 1000, timeoutMs: 10_000, maxRedirects: 3,
    resolve: async (name) => {
      asked.push(name)
      return { localhost: ['127.0.0.1', '::1'] }[name] ?? ['10.0.0.1']
    },
  })

  test.each([
    '', 'x', '/relative', '//pictures.test/x', 'http:', 'http://', 'pictures.test/x.png', 'http://pictures.test:99999/',
    'file:///etc/passwd', 'ftp://pictures.test/x', 'gopher://pictures.test/x', 'blob:http://pictures.test/x',
    'javascript:alert(1)', 'unix:/run/docker.sock', 'http+unix://pictures.test/', 'view-source:http://pictures.test/',
    'http://other.test/', 'http://sub.pictures.test/', 'http://pictures.test.other.test/', 'http://pictures.test./',
    'http://pictures.test:8080/', 'https://pictures.test:8444/', 'http://xn--pictures.test/',
    'http://name@pictures.test/', 'http://name:word@pictures.test/', 'http://pictures.test@other.test/',
    'http://pictures.test:80@other.test/', 'http://other.test#@pictures.test/', 'http://other.test\\@pictures.test/',
    'http://other.test?pictures.test/', 'http://pictures.test%2eother.test/', 'http://other.test/\r\nhost: pictures.test',
    `http://pictures.test/${'x'.repeat(9000)}`,
  ])('a URL that is none, or off the list: %s', async (url) => {
    asked.length = 0
    expect(await outcome(remote.fetch(url, never, () => {}))).toBe('image_url_refused')
    expect(asked).toEqual([])
  })

  test.each([
    'http://127.0.0.1/', 'http://127.0.0.1:1234/', 'http://127.1/', 'http://0x7f.1/', 'http://0x7f000001/', 'http://2130706433/',
    'http://0177.0.0.1/', 'http://①②⑦.0.0.1/', 'http://localhost/', 'http://LOCALHOST/', 'http://169.254.169.254/latest/meta-data/',
    'http://0/', 'http://pictures.test/', 'https://pictures.test:8443/',
  ])('an address inside, though its host is listed: %s', async (url) => {
    await expect(remote.fetch(url, never, () => {})).rejects.toMatchObject({ code: 'image_url_refused', message: /public internet/ })
  })

  test.each(['http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://[fe80::1]/', 'http://[::]/'])('an address in brackets: %s', async (url) => {
    expect(await outcome(remote.fetch(url, never, () => {}))).toBe('image_url_refused')
  })

  test.each([
    ['10.1.2.3'], ['192.168.0.1'], ['100.64.0.1'], ['::1'], ['fd00::1'], ['fe80::1'], ['::ffff:10.0.0.1'], ['224.0.0.1'],
    ['8.8.8.8', '10.0.0.1'], ['2606:4700::1111', '::1'],
  ])('a name that leads inside, if only by one of its addresses: %s', async (...addresses) => {
    const rebound = new RemotePictures({
      hosts: ['pictures.test'], clock: realClock, maxBytes: 1000, timeoutMs: 10_000, maxRedirects: 3,
      resolve: async () => addresses,
    })
    await expect(rebound.fetch('http://pictures.test/', never, () => {})).rejects.toMatchObject({ code: 'image_url_refused' })
  })

  test('and what it says names no address', async () => {
    const error = await remote.fetch('http://pictures.test/', never, () => {}).catch((thrown: VolleyError) => thrown)
    expect((error as VolleyError).toLine()).not.toMatch(/10\.0\.0\.1/)
  })

  test('everything, with nothing on the list', async () => {
    const closed = new RemotePictures({ hosts: [], clock: realClock, maxBytes: 1000, timeoutMs: 1000, maxRedirects: 3 })
    expect(await outcome(closed.fetch('https://example.com/x.png', never, () => {}))).toBe('image_url_refused')
  })
})

describe('RemotePictures and names that change where they lead', () => {
  test('one look-up a host, and the connection goes where it was checked to go', async () => {
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['127.0.0.3']]
    let lookups = 0
    const { get, server } = await site((_, response) => response.end(FILE), { resolve: async () => answers[lookups++]! })
    expect(await get()).toHaveLength(FILE.length)
    expect(lookups).toBe(1)
    // The second time the name leads elsewhere: that is seen by the check, not after it.
    expect(await outcome(get())).toBe('image_url_refused')
    expect(server.requests).toHaveLength(1)
  })

  test('a redirect to the same host is looked up and checked again', async () => {
    const answers = [['127.0.0.1'], ['127.0.0.2']]
    const { get, server } = await site((_, response) => response.writeHead(302, { location: '/again' }).end(), {
      resolve: async () => answers.shift()!,
    })
    expect(await outcome(get())).toBe('image_url_refused')
    expect(server.requests).toEqual(['GET /'])
  })

  test('an address that does not answer makes room for the next', async () => {
    // Nobody listens at the second one, and there may be no IPv6 at all.
    const addresses = ['::1', '127.0.0.1']
    const { get } = await site((_, response) => response.end(FILE), { resolve: async () => addresses, mayConnect: () => true })
    expect(await get()).toHaveLength(FILE.length)
  })
})

describe('RemotePictures and redirects', () => {
  const to = (location: string | undefined, status = 302) =>
    site((_, response) => response.writeHead(status, location === undefined ? {} : { location }).end())

  test.each([
    ['off the list', 'http://other.test/'],
    ['to another port', 'http://pictures.test:1/'],
    ['to an address inside', 'http://169.254.169.254/latest/meta-data/'],
    ['to a file', 'file:///etc/passwd'],
    ['to a data: URL', 'data:image/png;base64,AAAA'],
    ['to a name with a password', 'http://a:b@pictures.test/'],
    ['to nonsense', 'http://'],
  ])('%s are refused', async (_, location) => {
    const { get, server } = await to(location)
    expect(await outcome(get())).toBe('image_url_refused')
    expect(server.requests).toHaveLength(1)
  })

  test('to nowhere, or in circles, fail', async () => {
    for (const status of [301, 302, 303, 307, 308]) expect(await outcome((await to(undefined, status)).get())).toBe('image_fetch_failed')
    const { get, server } = await to('/')
    await expect(get()).rejects.toMatchObject({ code: 'image_fetch_failed', message: /more than 3 times/ })
    expect(server.requests).toHaveLength(4)
  })
})

describe('RemotePictures and hosts that do not serve a file', () => {
  test.each([201, 204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 500, 503])('status %i', async (status) => {
    const { get } = await site((_, response) => response.writeHead(status).end())
    await expect(get()).rejects.toMatchObject({ code: 'image_fetch_failed', message: new RegExp(`answered ${status}`) })
  })

  test('a file that is too long by its own words is not read', async () => {
    const { get, kept } = await site((_, response) => response.writeHead(200, { 'content-length': 1001 }).write('x'))
    expect(await outcome(get())).toBe('image_too_large')
    expect(kept()).toBe(0)
  })

  test('a file that goes on and on is cut off', async () => {
    let ended = false
    const { get, kept } = await site((_, response) => {
      response.on('close', () => (ended = true))
      const more = () => {
        if (response.write(Buffer.alloc(256))) setImmediate(more)
        else response.once('drain', more)
      }
      more()
    })
    expect(await outcome(get())).toBe('image_too_large')
    expect(kept()).toBeLessThanOrEqual(1000)
    while (!ended) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  test('a file that was packed for the way', async () => {
    const { get } = await site((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1 << 20))))
    expect(await outcome(get())).toBe('image_fetch_failed')
  })

  test('a file that breaks off', async () => {
    const long = await site((_, response) => response.writeHead(200, { 'content-length': 100 }).write('x', () => response.destroy()))
    expect(await outcome(long.get())).toBe('image_fetch_failed')
    const pieces = await site((_, response) => response.writeHead(200).write('x', () => response.destroy()))
    expect(await outcome(pieces.get())).toBe('image_fetch_failed')
  })

  test.each([
    ['nothing', ''],
    ['no HTTP', 'hello\r\n\r\n'],
    ['headers without an end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(10_000)}`],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nxy'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
  ])('a host that answers with %s', async (_, text) => {
    const raw = createRaw((socket) => socket.on('error', () => {}).on('data', () => {}).end(text)).listen(0, '127.0.0.1')
    await once(raw, 'listening')
    ends.push(() => raw.close())
    const { port } = raw.address() as { port: number }
    const { remote } = await site(() => {}, { hosts: [`pictures.test:${port}`] })
    expect(await outcome(remote.fetch(`http://pictures.test:${port}/`, never, () => {}))).toBe('image_fetch_failed')
  })

  test('nobody who listens, and a name that nobody knows', async () => {
    const { remote, port, server } = await site(() => {})
    await server.close()
    ends.length = 0
    const error = await remote.fetch(`http://pictures.test:${port}/`, never, () => {}).catch((thrown: VolleyError) => thrown)
    expect(error).toMatchObject({ code: 'image_fetch_failed' })
    expect((error as VolleyError).message).not.toMatch(/127\.0\.0\.1/)
    const unknown = new RemotePictures({
      hosts: ['pictures.invalid', 'empty.invalid'], clock: realClock, maxBytes: 1000, timeoutMs: 10_000, maxRedirects: 3,
      resolve: async (name) => name === 'empty.invalid' ? [] : Promise.reject(new Error('ENOTFOUND')),
    })
    expect(await outcome(unknown.fetch('http://pictures.invalid/', never, () => {}))).toBe('image_fetch_failed')
    expect(await outcome(unknown.fetch('http://empty.invalid/', never, () => {}))).toBe('image_fetch_failed')
  })
})

describe('RemotePictures does not wait for ever', () => {
  const waiting: [string, (request: IncomingMessage, response: ServerResponse) => void, Partial<RemoteOptions>][] = [
    ['for an answer', () => {}, {}],
    ['for a body', (_, response) => response.writeHead(200).flushHeaders(), {}],
    ['for the rest of a body', (_, response) => response.writeHead(200).write('x'), {}],
    ['for a name', () => {}, { resolve: () => new Promise(() => {}) }],
    ['through redirects', (request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/slow' }).end()
    }, {}],
  ]
  test.each(waiting)('%s', async (_, answer, options) => {
    const clock = new VirtualClock()
    const { get } = await site(answer, { ...options, clock })
    const ended = outcome(get())
    await new Promise((resolve) => setTimeout(resolve, 30))
    await clock.advance(9_999)
    expect(await Promise.race([ended, 'waits'])).toBe('waits')
    await clock.advance(10_000)
    expect(await ended).toBe('image_fetch_failed')
  })

  test.each(waiting)('%s, once its caller has gone', async (_, answer, options) => {
    const { at, remote } = await site(answer, options)
    const gone = new AbortController()
    const ended = outcome(remote.fetch(`${at}/`, gone.signal, () => {}))
    await new Promise((resolve) => setTimeout(resolve, 10))
    gone.abort()
    expect(await ended).toBe('cancelled')
    expect(await outcome(remote.fetch(`${at}/`, gone.signal, () => {}))).toBe('cancelled')
  })

  test('on a host that sends what nobody may hold any more', async () => {
    const { at, remote } = await site((_, response) => response.end(FILE))
    const full = new VolleyError('overloaded', 'Full')
    const grow = () => {
      throw full
    }
    await expect(remote.fetch(`${at}/`, never, grow)).rejects.toBe(full)
  })
})
