/**
 * Tries a binding in a process of its own: whatever is wrong with it, native code that crashes included, ends there.
 * @module
 */
import process from 'node:process'
import { isLibraryNoise, tensorflowEnvironment } from '../../engine/native/environment.ts'
import type { Rates } from '../../engine/native/record.ts'
import { lastLine, runCommand } from '../../fetch/command.ts'
import { runtimeName, runtimeVersion, selfCommand } from '../../platform.ts'

const SELF_TEST = new URL('../../engine/tfjs/tensorflow/self-test.ts', import.meta.url)
/** The library of a GPU may compile for a minute when it is used first. */
const TIMEOUT_MS = 180_000

/** How a binding did. */
export interface Tried {
  folder: string
  /** Of libtensorflow; empty when it did not load. */
  library: string
  device: 'cpu' | 'gpu'
  cases: number
  rates?: Rates
  /** What is wrong; undefined = it passed. */
  problem: string | undefined
}

/** Runs the self-test on the package in `folder`. */
export async function tryBinding(folder: string, signal?: AbortSignal): Promise<Tried> {
  const { command, args } = selfCommand(SELF_TEST, [folder])
  const env = tensorflowEnvironment(1)
  const { code, output } = await runCommand(command, args, { timeoutMs: TIMEOUT_MS, env, ...(signal && { signal }) })
  const heard = output.split('\n').filter((line) => !isLibraryNoise(line)).join('\n')
  const [json] = /^\{.*"wrong":.*\}$/m.exec(heard) ?? []
  if (json === undefined) {
    const how = code === -1 ? 'it crashed or was stopped' : `exit code ${code}`
    return { folder, library: '', device: 'cpu', cases: 0, problem: `${how}: ${lastLine(heard)}` }
  }
  const { library = '', device = 'cpu', cases = 0, rates, wrong } = JSON.parse(json) as Partial<Tried> & { wrong: string[] }
  return { folder, library, device, cases, ...(rates && { rates }), problem: wrong.length > 0 ? wrong.join('; ') : undefined }
}

/** The runtime that tries, as the record names it. */
export const tester = (): string => `${runtimeName} ${runtimeVersion()} on ${process.platform}-${process.arch}`
