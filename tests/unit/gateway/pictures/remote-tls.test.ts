import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { lacks } from '../../../helpers/lacks.ts'
import { temporaryDirectory } from '../../../helpers/model-files.ts'

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
const program = join(import.meta.dirname, '../../../helpers/fetch-over-tls.ts')

function hasOpenssl(): boolean {
  try {
    openssl('version')
    return true
  } catch {
    return false
  }
}

describe.skipIf(lacks(!hasOpenssl(), 'no openssl to make a certificate with'))('RemotePictures over TLS', () => {
  const directory = temporaryDirectory()
  const at = (name: string) => join(directory, name)

  async function run(trusted: boolean): Promise<Record<string, string>> {
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=test authority')
    openssl(
      'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('site.key'), '-out', at('site.pem'), '-days', '2', '-subj', '/CN=pictures.test',
      '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', 'subjectAltName=DNS:pictures.test', '-addext', 'basicConstraints=critical,CA:FALSE',
    )
    const args = [...('Deno' in globalThis ? ['run', '--allow-all', '--quiet'] : []), program, at('site.key'), at('site.pem')]
    // Nobody listens there.
    const proxy = 'http://127.0.0.1:1'
    const env = {
      ...process.env, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy,
      NO_PROXY: '', no_proxy: '', ...(trusted && { NODE_EXTRA_CA_CERTS: at('ca.pem'), DENO_CERT: at('ca.pem') }),
    }
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 25_000 })
    return JSON.parse(stdout) as Record<string, string>
  }

  test('the certificate is held against the name, though the address is pinned; no proxy is asked', async () => {
    expect(await run(true)).toEqual({
      plain: 'plain', secure: 'secure for pictures.test', otherName: 'image_fetch_failed', downgrade: 'image_url_refused',
    })
  })

  test('an authority that nobody knows is not believed', async () => {
    expect(await run(false)).toMatchObject({ plain: 'plain', secure: 'image_fetch_failed' })
  })
})
