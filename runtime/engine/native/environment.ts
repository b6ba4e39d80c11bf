/**
 * What libtensorflow reads from the process's environment. It must be there before a thread that loads the library
 * begins: what a thread sets in its own `process.env` never reaches native code.
 * @module
 */
import { availableParallelism } from 'node:os'
import process from 'node:process'

/** The variables for so many compute threads. What the user has set stays. */
export function tensorflowEnvironment(threads: number): Record<string, string> {
  const wanted = {
    TF_CPP_MIN_LOG_LEVEL: '3',
    TF_NUM_INTRAOP_THREADS: String(threads),
    // Two of a layer's products that need not wait for each other; more have nothing to do. With one thread a second only
    // takes the core from the first.
    TF_NUM_INTEROP_THREADS: String(Math.min(threads, 2)),
  }
  return Object.fromEntries(Object.entries(wanted).map(([name, value]) => [name, process.env[name] ?? value]))
}

/** Puts them into this process's environment; the main thread's call only. */
export function prepareEnvironment(threads: number): void {
  Object.assign(process.env, tensorflowEnvironment(threads))
}

/** Threads that the library computes with, as its environment says. */
export const intraOpThreads = (): number =>
  Number(process.env['TF_NUM_INTRAOP_THREADS']) || availableParallelism()

/** Lines that libtensorflow writes to stderr whatever its log level is, and that say nothing to a user of Volley. */
export const isLibraryNoise = (line: string): boolean =>
  /^WARNING: All log messages before absl::InitializeLog|oneDNN custom operations are on/.test(line)
