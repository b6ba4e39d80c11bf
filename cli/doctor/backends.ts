/**
 * What `volley doctor` says of each backend: here or not and the command that mends it, library, device and threads,
 * and how fast it runs the model that a start would take.
 * @module
 */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import type { SamplingParams } from '../../runtime/engine/engine.ts'
import { openModel } from '../../runtime/engine/load/mod.ts'
import { autoEngine } from '../../runtime/engine/native/auto.ts'
import { installedBindings, readRecord } from '../../runtime/engine/native/record.ts'
import { startEngine } from '../../runtime/engine/worker/start.ts'
import { toVolleyError } from '../../runtime/errors.ts'
import type { Finding } from './finding.ts'

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
      Object.assign(finding, { status: 'missing', detail: `${finding.detail}; ${rates.message}`, remedy: rates.remedy })
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
  const threads = `${availableParallelism()} threads unless --threads says otherwise`
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

const GREEDY: SamplingParams = {
  ...{ maxTokens: 9, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0, presencePenalty: 0, frequencyPenalty: 0 },
  ...{ repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: true },
}
const PROMPT = 64
const TIMEOUT_MS = 60_000

/** Tokens a second of one short prompt and of eight tokens after it, warm. */
async function measure(backend: string, modelPath: string): Promise<{ prefill: number; decode: number }> {
  const engine = await startEngine({ load: { modelPath, backend }, startTimeoutMs: TIMEOUT_MS, maxBatch: 1 })
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const length = Math.min(PROMPT, engine.info.contextLength - GREEDY.maxTokens - 1)
    const run = async (first: number): Promise<{ prefill: number; decode: number }> => {
      const hold = `doctor-${first}`
      const prompt = Array.from({ length }, (_, i) => (first + i * 31) % engine.info.vocabSize)
      const startedMs = performance.now()
      const { first: drawn } = await engine.prefill({ hold, tokens: prompt, sampling: GREEDY, choices: 1 }, signal)
      const prefilledMs = performance.now()
      const choices = drawn.map(({ choice, token }) => ({ choice, generated: [token] }))
      await engine.decode({ hold, prompt, sampling: GREEDY, choices }, () => {}, signal).done
      const rate = (tokens: number, ms: number) => Math.round((tokens * 1000) / ms)
      engine.release(hold)
      return { prefill: rate(length, prefilledMs - startedMs), decode: rate(GREEDY.maxTokens - 1, performance.now() - prefilledMs) }
    }
    await run(1)
    return await run(2)
  } finally {
    await engine.close()
  }
}
