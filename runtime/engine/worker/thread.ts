/**
 * The engine's thread: loads model and backend through the factory it was given, then serves calls until it is told to
 * close. It knows the protocol and one EngineCore.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { EngineCore } from '../loop/core.ts'
import { Gifts } from './gifts.ts'
import { type Call, type Message, type ModelFactory, type Report, type ThreadData, toErrorData } from './protocol.ts'

const port = parentPort!
const post = (message: Message) => port.postMessage(message)

try {
  const { factory, load, sizes } = workerData as ThreadData
  const { default: loadModel } = (await import(factory)) as { default: ModelFactory }
  const { forward, ...names } = await loadModel(load)
  serve((onStep) => new EngineCore(forward, { ...sizes, ...names, onStep }))
} catch (error) {
  post({ kind: 'unable', error: toErrorData(error, 'engine_unavailable') })
}

/** Answers calls; news of one turn go out as one message, so all tokens of a step do. */
function serve(create: (onStep: () => void) => EngineCore): void {
  const core = create(news)
  const aborts = new Map<number, AbortController>()
  const stops = new Map<number, (choice: number) => void>()
  const gifts = new Gifts()
  let reports: Report[] = []
  let scheduled = false
  let seen = 0

  function news(report?: Report): void {
    if (report) reports.push(report)
    if (scheduled) return
    scheduled = true
    queueMicrotask(() => {
      post({ kind: 'news', reports, stats: core.stats(), seen })
      scheduled = false
      reports = []
    })
  }

  async function answer(call: number, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const abort = new AbortController()
    aborts.set(call, abort)
    try {
      const value = await work(abort.signal)
      news({ kind: 'answer', call, value })
    } catch (error) {
      news({ kind: 'error', call, error: toErrorData(error, 'engine_failed') })
    } finally {
      aborts.delete(call)
      stops.delete(call)
      gifts.delete(call)
    }
  }

  function handle(call: Call): Promise<void> | void {
    switch (call.kind) {
      case 'encode':
        return answer(call.id, (signal) => core.encode!(call.job, signal))
      case 'prefill':
        return answer(call.id, (signal) => core.prefill(gifts.expect(call.id, call.job), signal))
      case 'give':
        return gifts.give(call)
      case 'withhold':
        return gifts.withhold(call)
      case 'decode':
        return answer(call.id, (signal) => {
          const onTokens = (tokens: (Report & { kind: 'tokens' })['tokens']) =>
            news({ kind: 'tokens', call: call.id, tokens })
          const run = core.decode(call.job, onTokens, signal)
          stops.set(call.id, (choice) => run.stop(choice))
          return run.done
        })
      case 'export':
        return answer(call.id, () => core.exportHold(call.hold))
      case 'import':
        return answer(call.id, () => core.importHold(call.info, call.bytes, call.digest))
      case 'release':
        return core.release(call.hold)
      case 'abort':
        return aborts.get(call.call)?.abort()
      case 'stop':
        return stops.get(call.call)?.(call.choice)
      case 'close':
        return answer(call.id, () => core.close())
    }
  }

  port.on('message', (call: Call) => {
    seen = call.id
    void handle(call)
    news()
  })
  post({ kind: 'ready', info: core.info, stats: core.stats() })
}
