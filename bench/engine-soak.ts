/**
 * `volley bench engine --soak yes`: 200 prefills and 2,000 decode steps in this very process, and what its memory makes of
 * them. Nothing may grow: a figure every tenth of the way, and the difference at the end. `--soak gc` collects JavaScript's
 * garbage after every token: what still grows then is no garbage that waits.
 * @module
 */
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { print, round } from './flags.ts'
import type { SamplingParams } from '../runtime/engine/engine.ts'
import { EngineCore } from '../runtime/engine/loop/core.ts'
import { prepareEnvironment } from '../runtime/engine/native/environment.ts'
import loadModel from '../runtime/engine/worker/model.ts'

const [PREFILLS, PROMPT, RUNS, STEPS, TENTHS] = [200, 128, 20, 100, 10]
const GREEDY: SamplingParams = {
  ...{ maxTokens: STEPS + 1, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0, presencePenalty: 0, frequencyPenalty: 0 },
  ...{ repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: true },
}

/** What is in use now: live tensors, and bytes as the system, JavaScript and the typed arrays count them. */
interface State {
  tensors: number
  rssMB: number
  heapMB: number
  /** What the heap has taken from the system. */
  heapTakenMB: number
  arraysMB: number
}

/** `engines` as bench/engine-names.ts reads them. */
export async function soak(
  how: string,
  json: boolean,
  modelPath: string,
  engines: { backend: string; decodeBackend: string },
  threads: number,
): Promise<void> {
  const collect = how === 'gc' ? collector() : () => undefined
  if (Object.values(engines).includes('tensorflow')) prepareEnvironment(threads)
  const { forward, ...names } = await loadModel({ modelPath, ...engines })
  const engine = new EngineCore(forward, { ...names, maxBatch: 1 })
  const { signal } = new AbortController()
  const state = (): State => {
    collect()
    const { rss, heapUsed, heapTotal, arrayBuffers } = process.memoryUsage()
    const MB = (bytes: number) => round(bytes / 1e6, 1)
    const { tensors } = forward.memory()
    return { tensors, rssMB: MB(rss), heapMB: MB(heapUsed), heapTakenMB: MB(heapTotal), arraysMB: MB(arrayBuffers) }
  }
  const length = Math.min(PROMPT, engine.info.contextLength - STEPS - 2)
  const prefill = async (hold: string, salt: number): Promise<number> => {
    const tokens = Array.from({ length }, (_, i) => 3 + ((i * 31 + salt * 7919) % (engine.info.vocabSize - 3)))
    const { first } = await engine.prefill({ hold, tokens, sampling: GREEDY, choices: 1 }, signal)
    const token = first[0]?.token ?? 0
    if (hold === 'decode') {
      await engine.decode({ hold, prompt: tokens, sampling: GREEDY, choices: [{ choice: 0, generated: [token] }] }, collect, signal).done
    }
    engine.release(hold)
    return token
  }
  for (let i = 0; i < TENTHS; i++) await prefill('prefill', i)
  await prefill('decode', TENTHS)
  const before = state()
  const show = (phase: string, done: number) => print(json, { bench: 'soak', engine: forward.backend, phase, done, ...state() })
  show('begin', 0)
  for (let i = 1; i <= PREFILLS; i++) {
    await prefill('prefill', 1000 + i)
    if (i % (PREFILLS / TENTHS) === 0) show('prefill', i)
  }
  for (let i = 1; i <= RUNS; i++) {
    await prefill('decode', 5000 + i)
    if (i % (RUNS / TENTHS) === 0) show('decode', i * STEPS)
  }
  const after = state()
  print(json, {
    bench: 'soak', phase: 'end', tensors: after.tensors - before.tensors, rssMB: round(after.rssMB - before.rssMB, 1),
    heapMB: round(after.heapMB - before.heapMB, 1),
    heapTakenMB: round(after.heapTakenMB - before.heapTakenMB, 1), arraysMB: round(after.arraysMB - before.arraysMB, 1),
  })
  await engine.close()
}

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
