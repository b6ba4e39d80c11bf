/**
 * The dependencies: `npm ci` when node_modules does not hold what package-lock.json says. A stamp remembers the lock
 * file that was looked at last, so that the usual case costs one small read.
 * @module
 */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { isDeno, locked, npmCommand, npmReason, quietly, root, SetupError, step } from './steps.mjs'

const modules = join(root, 'node_modules')
const stampFile = join(modules, '.volley-lock')

const digest = (text) => createHash('sha256').update(text).digest('hex')
const read = (path) => readFile(path, 'utf8').catch(() => undefined)

/** Errors: `dependencies_missing`, with what npm said. */
export async function ensureDependencies(node) {
  const lockText = await read(join(root, 'package-lock.json'))
  if (lockText === undefined) return
  const wanted = digest(lockText)
  if ((await read(stampFile)) === wanted) return
  await locked(`install-${digest(root).slice(0, 16)}`, async () => {
    if ((await read(stampFile)) === wanted) return
    if (!(await holds(JSON.parse(lockText)))) await step('installing dependencies (npm ci)', () => install(node))
    // A folder that may not be written only costs the look next time.
    await writeFile(stampFile, wanted).catch(() => {})
  })
}

/** Whether npm's own record of node_modules has every package of the lock file, in its version. */
async function holds(lock) {
  const record = await read(join(modules, '.package-lock.json'))
  if (record === undefined) return false
  const have = JSON.parse(record).packages
  return Object.entries(lock.packages).every(
    ([path, { version, optional }]) => path === '' || optional || have[path]?.version === version,
  )
}

async function install(node) {
  const { command, before, options } = npmCommand(isDeno ? undefined : node)
  const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=4000']
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...patience]
  const npm = await quietly(command, [...before, ...args], { ...options, cwd: root })
  if (npm.code === 0) return
  const deno = isDeno ? await quietly(process.execPath, ['install', '--quiet'], { cwd: root }) : undefined
  if (deno?.code === 0) return
  const also = deno ? `; \`deno install\` failed: ${deno.output.split('\n')[0]}` : ''
  throw new SetupError(
    `Dependencies could not be installed: \`npm ci\` failed: ${npmReason(npm.output)}${also}`,
    `run \`npm ci\` in ${root} where the network or a registry (npm config get registry) can be reached`,
    'dependencies_missing',
  )
}
