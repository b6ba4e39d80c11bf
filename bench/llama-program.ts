/**
 * Run as a program with the folder of a fetched node-llama-cpp, a GGUF file, a number of threads and a context length:
 * answers each line of its input, `prefill N` or `decode N`, with the milliseconds that N tokens took.
 * @module
 */
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

/** What is used of the package. */
interface Sequence {
  evaluateWithoutGeneratingNewTokens(tokens: number[]): Promise<void>
  evaluate(tokens: number[], options: { temperature: number }): AsyncGenerator<number>
  clearHistory(): Promise<void>
}
interface Llama {
  loadModel(options: { modelPath: string; gpuLayers: number }): Promise<{
    createContext(options: { contextSize: number; batchSize: number; threads: number; sequences: number }): Promise<{
      getSequence(): Sequence
    }>
  }>
}
interface Package {
  getLlama(options: { gpu: false; build: 'never'; logLevel: 'error'; maxThreads: number }): Promise<Llama>
}

/** Tokens before a measured decode, as bench/engine-runs.ts has them. */
const DECODE_PROMPT = 16

async function main([folder = '', modelPath = '', threads = '', context = '']: string[]): Promise<void> {
  const address = pathToFileURL(join(folder, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')).href
  const { getLlama } = (await import(address)) as Package
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: Number(threads) })
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 })
  const sizes = { contextSize: Number(context), batchSize: 512, threads: Number(threads), sequences: 1 }
  const sequence = (await model.createContext(sizes)).getSequence()
  const tokens = (count: number) => Array.from({ length: count }, (_, i) => 3 + ((i * 31 + count) % 1000))

  const prefill = async (count: number): Promise<number> => {
    await sequence.clearHistory()
    const startedMs = performance.now()
    await sequence.evaluateWithoutGeneratingNewTokens(tokens(count))
    return performance.now() - startedMs
  }
  const decode = async (count: number): Promise<number> => {
    await prefill(DECODE_PROMPT)
    const startedMs = performance.now()
    let left = count
    for await (const token of sequence.evaluate([5], { temperature: 0 })) if (token < 0 || --left === 0) break
    return performance.now() - startedMs
  }

  process.stdout.write('ready\n')
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, count] = line.split(' ')
    const ms = what === 'prefill' ? await prefill(Number(count)) : await decode(Number(count))
    process.stdout.write(`ms ${ms}\n`)
  }
}

await main(process.argv.slice(2))
process.exit(0)
