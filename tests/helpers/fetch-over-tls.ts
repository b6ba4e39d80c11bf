/**
 * A program for remote-tls.test.ts: serves a file over TLS and fetches it, in a process whose environment trusts the
 * certificate's authority and names a proxy. Arguments: key and certificate of the server. Prints what came of it.
 * @module
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { RemotePictures } from '../../actors/gateway/pictures/remote.ts'
import { realClock } from '../../runtime/clock.ts'

const [key, cert] = process.argv.slice(2).map((path) => readFileSync(path)) as [Buffer, Buffer]
const plain = createHttp((_, response) => response.end('plain')).listen(0, '127.0.0.1')
const secure = createHttps({ key, cert }, (request, response) => {
  if (request.url === '/down') response.writeHead(302, { location: `http://pictures.test:${portOf(plain)}/` }).end()
  else response.end(`secure for ${request.headers.host?.split(':')[0]}`)
}).listen(0, '127.0.0.1')
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
await Promise.all([once(plain, 'listening'), once(secure, 'listening')])

const remote = new RemotePictures({
  hosts: [`pictures.test:${portOf(secure)}`, `other.test:${portOf(secure)}`, `pictures.test:${portOf(plain)}`],
  clock: realClock,
  maxBytes: 1000,
  timeoutMs: 20_000,
  maxRedirects: 3,
  resolve: async () => ['127.0.0.1'],
  mayConnect: () => true,
})
const outcome = async (url: string): Promise<string> => {
  const bytes = await remote.fetch(url, new AbortController().signal, () => {}).catch((error: { code: string }) => error.code)
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()
}
console.log(JSON.stringify({
  plain: await outcome(`http://pictures.test:${portOf(plain)}/`),
  secure: await outcome(`https://pictures.test:${portOf(secure)}/`),
  otherName: await outcome(`https://other.test:${portOf(secure)}/`),
  downgrade: await outcome(`https://pictures.test:${portOf(secure)}/down`),
}))
process.exit(0)
