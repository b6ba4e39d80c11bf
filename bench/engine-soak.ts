/**
 * `volley bench engine --soak`: 200 prefills and 2,000 decode steps in this very process, and what its memory makes of
 * them. Nothing may grow: a figure every tenth of the way, and the difference at the end.
 * @module
 */
import process from 'node:process'
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
  arraysMB: number
}

/** `engines` as bench/engine-names.ts reads them. */
export async function soak(json: boolean, modelPath: string, engines: { backend: string; decodeBackend: string }, threads: number): Promise<void> {
  if (Object.values(engines).includes('tensorflow')) prepareEnvironment(threads)
  const { forward, ...names } = await loadModel({ modelPath, ...engines })
  const engine = new EngineCore(forward, { ...names, maxBatch: 1 })
  const { signal } = new AbortController()
  const state = (): State => {
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
    const [rssMB, heapMB, arraysMB] = [rss, heapUsed, arrayBuffers].map((bytes) => round(bytes / 1e6, 1)) as [number, number, number]
    return { tensors: forward.memory().tensors, rssMB, heapMB, arraysMB }
  }
  const length = Math.min(PROMPT, engine.info.contextLength - STEPS - 2)
  const prefill = async (hold: string, salt: number): Promise<number> => {
    const tokens = Array.from({ length }, (_, i) => 3 + ((i * 31 + salt * 7919) % (engine.info.vocabSize - 3)))
    const { first } = await engine.prefill({ hold, tokens, sampling: GREEDY, choices: 1 }, signal)
    const token = first[0]?.token ?? 0
    if (hold === 'decode') {
      await engine.decode({ hold, prompt: tokens, sampling: GREEDY, choices: [{ choice: 0, generated: [token] }] }, () => undefined, signal).done
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
    heapMB: round(after.heapMB - before.heapMB, 1), arraysMB: round(after.arraysMB - before.arraysMB, 1),
  })
  await engine.close()
}
