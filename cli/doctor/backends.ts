/**
 * What `volley doctor` says of each backend: here or not and the command that mends it, library, device and threads,
 * and how fast it runs the model that a start would take.
 * @module
 */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { openModel } from '../../runtime/engine/load/mod.ts'
import { autoEngine } from '../../runtime/engine/native/auto.ts'
import { installedBindings, readRecord } from '../../runtime/engine/native/record.ts'
import { toVolleyError, VolleyError } from '../../runtime/errors.ts'
import { lastLine, runCommand } from '../../runtime/fetch/command.ts'
import { selfCommand } from '../../runtime/platform.ts'
import type { Finding } from './finding.ts'
import type { Rates } from './measure.ts'

const require = createRequire(import.meta.url)
const SETUP = 'volley setup tensorflow (in a checkout: npm run setup:tensorflow)'

/** Whether a package can be loaded from here. */
export function hasPackage(name: string): boolean {
  try {
    require.resolve(`${name}/package.json`)
    return true
  } catch {
    return false
  }
}

/** One finding a backend; with the path of a model each that is here is measured on it. */
export async function backends(modelPath?: string): Promise<Finding[]> {
  const found = [wasm(), cpu(), tensorflow()]
  for (const finding of modelPath === undefined ? [] : found) {
    if (finding.status !== 'ok') continue
    const name = finding.check.replace('backend ', '')
    const rates = await measure(name, modelPath as string).catch((thrown: unknown) => toVolleyError(thrown))
    if (rates instanceof Error) {
      // One that is merely slow is here all the same.
      const status = rates.code === 'deadline' ? 'ok' : 'missing'
      Object.assign(finding, { status, detail: `${finding.detail}; ${rates.message}`, remedy: rates.remedy })
      continue
    }
    const { prefill, decode } = rates
    Object.assign(finding, { prefill, decode, detail: `${finding.detail}; prefill ${prefill} tok/s, decode ${decode} tok/s` })
  }
  return [...found, { check: 'backend webgpu', status: 'absent', detail: 'not in this version yet' }, auto(modelPath)]
}

const wasm = (): Finding => packaged('wasm', 'WebAssembly SIMD, 1 thread')
const cpu = (): Finding => packaged('cpu', 'plain JavaScript, 1 thread: slow, for comparison')

function packaged(name: string, detail: string): Finding {
  const check = `backend ${name}`
  if (hasPackage(`@tensorflow/tfjs-backend-${name}`)) return { check, status: 'ok', detail }
  return { check, status: 'missing', detail: 'its package is not installed', remedy: 'npm ci' }
}

function tensorflow(): Finding {
  const check = 'backend tensorflow'
  const record = readRecord()
  // As it is measured here, and as one named instance takes it.
  const threads = `${availableParallelism()} threads (an instance's share of the cores; 1 with --engine auto; --threads decides)`
  if (record !== undefined) {
    const { library, device, folder, origin } = record
    const detail = `TensorFlow ${library} on the ${device}, ${threads}, ${origin}: ${folder}`
    return { check, status: 'ok', detail, library, device, folder }
  }
  const [installed] = installedBindings()
  if (installed === undefined) return { check, status: 'absent', detail: 'native TensorFlow is not set up', remedy: SETUP }
  return { check, status: 'absent', detail: `installed in ${installed}, not tested yet`, remedy: SETUP }
}

/** What a start without --engine would take. */
function auto(modelPath?: string): Finding {
  const check = 'engine auto'
  try {
    const { prefill, decode, why } = autoEngine(modelPath === undefined ? Infinity : widthOf(modelPath))
    const taken = prefill === decode ? `${prefill} for every phase` : `prefill:${prefill},decode:${decode}`
    return { check, status: 'ok', detail: `takes ${taken}: ${why}`, prefill, decode }
  } catch (thrown) {
    return { check, status: 'ok', detail: `looks at the model first, which does not open: ${toVolleyError(thrown).message}` }
  }
}

function widthOf(modelPath: string): number {
  const source = openModel(modelPath)
  source.close()
  return source.config.hiddenSize
}

const TIMEOUT_MS = 120_000

/** In a process of its own: native code that crashes, and what it writes to stderr, ends there. */
async function measure(backend: string, modelPath: string): Promise<Rates> {
  const { command, args } = selfCommand(new URL('./measure.ts', import.meta.url), [backend, modelPath])
  const { output } = await runCommand(command, args, { timeoutMs: TIMEOUT_MS })
  const [json] = /^\{"(?:prefill|error)".*\}$/m.exec(output) ?? []
  if (json === undefined) throw new VolleyError('engine_failed', `it could not be measured: ${lastLine(output)}`)
  const found = JSON.parse(json) as Rates | { error: string; code: string; remedy?: string }
  if ('prefill' in found) return found
  throw new VolleyError(found.code === 'cancelled' ? 'deadline' : 'engine_unavailable', found.error, found.remedy === undefined ? {} : { remedy: found.remedy })
}
