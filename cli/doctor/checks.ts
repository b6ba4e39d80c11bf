/**
 * What `volley doctor` looks at: each check says what is here, or what is missing and the command that mends it. None
 * changes anything, none needs the network.
 * @module
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { findServer, namedServer, PINNED } from '../../actors/supervisor/nats-server/mod.ts'
import { runningSystems } from '../../actors/supervisor/runtime-file.ts'
import { isVolleyError, toVolleyError } from '../../runtime/errors.ts'
import { locateModel, pulledModels } from '../../runtime/models/locate.ts'
import { cacheDir, projectRoot, runtimeName, runtimeVersion, stateDir } from '../../runtime/platform.ts'
import { formatBytes } from '../ui/progress.ts'
import { backends, hasPackage } from './backends.ts'
import type { Finding } from './finding.ts'

/** All findings, in the order in which a start needs them; `measured` = each backend runs the model for a moment. */
export async function findings({ measured }: { measured: boolean }): Promise<Finding[]> {
  const path = measured ? await locateModel(process.env['VOLLEY_MODEL'] || undefined).catch(() => undefined) : undefined
  const groups = [runtime(), dependencies(), natsServer(), backends(path), model(), folders(), systems()]
  return (await Promise.all(groups)).flat()
}

async function runtime(): Promise<Finding[]> {
  const version = runtimeVersion()
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const fits = runtimeName === 'deno' ? major >= 2 : major > 22 || (major === 22 && minor >= 18)
  const machine = `${process.platform}-${process.arch}, ${availableParallelism()} cores, ${
    formatBytes(totalmem())
  } of memory`
  const detail = `${runtimeName} ${version} on ${machine}`
  const found: Finding = { check: 'runtime', status: fits ? 'ok' : 'missing', detail, path: process.execPath }
  return [fits ? found : { ...found, remedy: 'install Node 24, or run through npm: `npm run -s volley -- doctor`' }]
}

async function dependencies(): Promise<Finding[]> {
  const manifest = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const lacking: string[] = []
  for (const name of Object.keys(manifest.dependencies)) {
    const found = await stat(join(projectRoot, 'node_modules', name)).catch(() => undefined)
    if (!found && !hasPackage(name)) lacking.push(name)
  }
  const all = Object.keys(manifest.dependencies).length
  if (lacking.length === 0) return [{ check: 'dependencies', status: 'ok', detail: `${all} packages` }]
  return [{
    check: 'dependencies',
    status: 'missing',
    detail: `not installed: ${lacking.join(', ')}`,
    remedy: 'npm ci',
  }]
}

async function natsServer(): Promise<Finding[]> {
  const check = 'nats-server'
  const url = process.env['VOLLEY_NATS'] || process.env['NATS_URL']
  if (url) {
    return [{
      check,
      status: 'ok',
      detail: `none is started: the environment names ${url.replace(/\/\/[^@/]*@/, '//')}`,
    }]
  }
  try {
    const named = process.env['VOLLEY_NATS_SERVER']
    const { found, passedOver } = named ? { found: await namedServer(named), passedOver: [] } : await findServer()
    const over = passedOver.length > 0 ? `; passed over: ${passedOver.join(', ')}` : ''
    if (found) {
      return [{ check, status: 'ok', detail: `${found.version}, ${found.origin}: ${found.path}${over}`, ...found }]
    }
    const detail = `none on this machine; ${PINNED} is fetched by the first start${over}`
    return [{ check, status: 'absent', detail, remedy: 'npm start' }]
  } catch (thrown) {
    const { message, remedy } = toVolleyError(thrown)
    return [{ check, status: 'missing', detail: message, ...(remedy !== undefined && { remedy }) }]
  }
}

async function model(): Promise<Finding[]> {
  const named = process.env['VOLLEY_MODEL'] || undefined
  try {
    return [{ check: 'model', status: 'ok', detail: await locateModel(named) }]
  } catch (thrown) {
    if (!isVolleyError(thrown)) throw thrown
    return [{
      check: 'model',
      status: 'missing',
      detail: thrown.message,
      ...(thrown.remedy !== undefined && { remedy: thrown.remedy }),
    }]
  }
}

async function folders(): Promise<Finding[]> {
  const cache = await sizeOf(cacheDir())
  const models = await pulledModels()
  return [
    { check: 'cache', status: 'ok', detail: `${cacheDir()}: ${formatBytes(cache)}`, bytes: cache },
    { check: 'pulled models', status: 'ok', detail: models.join(', ') || 'none', models },
    { check: 'state', status: 'ok', detail: stateDir() },
  ]
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  const sizes = entries.filter((e) => e.isFile()).map((e) =>
    stat(join(e.parentPath, e.name)).then((s) => s.size, () => 0)
  )
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0)
}

async function systems(): Promise<Finding[]> {
  const running = await runningSystems()
  if (running.length === 0) return [{ check: 'running', status: 'ok', detail: 'no system runs here now' }]
  return running.map(({ pid, http, nats }) => ({
    check: 'running',
    status: 'ok',
    detail: `${http}, ${nats} (process ${pid})`,
    pid,
  }))
}
