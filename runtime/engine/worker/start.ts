/**
 * Starts an engine on a thread of its own.
 * @module
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { toVolleyError, VolleyError } from '../../errors.ts'
import type { JsonObject } from '../../json.ts'
import type { EngineSizes } from '../loop/size.ts'
import { prepareEnvironment } from '../native/environment.ts'
import { EngineClient, type EngineThread } from './client.ts'
import { fromErrorData, type Message, type ThreadData } from './protocol.ts'

export interface StartOptions extends EngineSizes {
  /** For the factory: `modelPath`, `backend`, `decodeBackend`, `threads` and whatever else it takes. */
  load: JsonObject
  /**
   * Address of a module whose default export is a ModelFactory.
   *
   * @default the one that opens model files on TensorFlow.js
   */
  factory?: URL
  /**
   * How long model and backend may take to load.
   *
   * @default {300_000}
   */
  startTimeoutMs?: number
  /**
   * How long `close()` waits for the step under way.
   *
   * @default {5_000}
   */
  closeTimeoutMs?: number
  /**
   * How long the thread may be silent while a call is open. Then it counts as hung and is ended.
   *
   * @default {120_000}
   */
  stallTimeoutMs?: number
  signal?: AbortSignal
}

/** Errors: `engine_unavailable` (or what the factory threw), `deadline`, `cancelled`. */
export async function startEngine(options: StartOptions): Promise<EngineThread> {
  const { load, factory, startTimeoutMs = 300_000, signal, ...others } = options
  const { closeTimeoutMs = 5_000, stallTimeoutMs = 120_000, ...sizes } = others
  const workerData: ThreadData = { factory: (factory ?? new URL('./model.ts', import.meta.url)).href, load, sizes }
  // Native code reads the environment of the process, and reads it once: before the thread begins.
  const { backend, threads } = load
  if (backend === 'tensorflow' || load['decodeBackend'] === 'tensorflow') {
    prepareEnvironment(typeof threads === 'number' ? threads : availableParallelism())
  }
  const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData })
  try {
    const ready = await untilReady(worker, startTimeoutMs, signal)
    return new EngineClient(worker, ready, { closeTimeoutMs, stallTimeoutMs })
  } catch (error) {
    await worker.terminate()
    throw error
  }
}

function untilReady(worker: Worker, timeoutMs: number, signal?: AbortSignal): Promise<Message & { kind: 'ready' }> {
  const { promise, resolve, reject } = Promise.withResolvers<Message & { kind: 'ready' }>()
  const onMessage = (message: Message) => {
    if (message.kind === 'ready') resolve(message)
    else if (message.kind === 'unable') reject(fromErrorData(message.error))
  }
  const onError = (error: unknown) => reject(toVolleyError(error, 'engine_unavailable'))
  const onExit = (code: number) => reject(unavailable(`its thread ended while it was loading, exit code ${code}`))
  const onAbort = () => reject(new VolleyError('cancelled', 'The start of the engine was cancelled'))
  const timer = setTimeout(
    () => reject(new VolleyError('deadline', `The engine did not load within ${timeoutMs} ms`)),
    timeoutMs,
  )
  worker.on('message', onMessage).on('error', onError).on('exit', onExit)
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  return promise.finally(() => {
    clearTimeout(timer)
    worker.off('message', onMessage).off('error', onError).off('exit', onExit)
    signal?.removeEventListener('abort', onAbort)
  })
}

const unavailable = (problem: string) => new VolleyError('engine_unavailable', `The engine could not start: ${problem}`)
