/** Nothing grows on the native library: 200 prefills, 2,000 decode steps, tensors and memory flat. */
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { EngineCore } from '../../runtime/engine/loop/core.ts'
import { tfjsForward } from '../../runtime/engine/tfjs/decoder.ts'
import { memorySource, randomTensors, testConfig } from '../helpers/source.ts'
import { tensorflowHere } from '../helpers/tensorflow.ts'
import { decodeAll, generate, greedy, newName, prompt } from '../helpers/toy-engine.ts'

const MB = 1e6
const patience = (): AbortSignal => AbortSignal.timeout(120_000)

describe.skipIf(!tensorflowHere)('memory on tensorflow', () => {
  it('is flat over 200 prefills and 2,000 decode steps', async () => {
    const config = testConfig({ hiddenSize: 192, intermediateSize: 512, heads: 6, kvHeads: 2, headDim: 32, vocabSize: 97 })
    const forward = await tfjsForward(memorySource(config, randomTensors(config)), { backend: 'tensorflow' })
    const sizes = { blockTokens: 16, chunkTokens: 64, blocksTotal: 200 }
    const engine = new EngineCore(forward, { model: 'test', modelDigest: 'd', ...sizes })
    const state = () => ({ tensors: forward.memory().tensors, bytes: forward.memory().bytes, rss: process.memoryUsage().rss })

    const prefills = async (count: number, from: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await generate(engine, prompt(40 + (i % 90), from + i), { ...greedy, maxTokens: 1 }, { signal: patience() })
      }
    }
    const decodes = async (steps: number, seed: number): Promise<void> => {
      for (let done = 0; done < steps; done += 100) {
        const hold = newName()
        const tokens = prompt(17, seed + done)
        const sampling = { ...greedy, maxTokens: 101, ignoreEos: true }
        const { first } = await engine.prefill({ hold, tokens, sampling, choices: 1 }, patience())
        const choices = [{ choice: 0, generated: first.map(({ token }) => token) }]
        expect(await decodeAll(engine, { hold, prompt: tokens, sampling, choices }, patience())).toHaveLength(100)
        engine.release(hold)
      }
    }

    await prefills(20, 0)
    await decodes(200, 1000)
    const before = state()
    await prefills(200, 2000)
    await decodes(2000, 9000)
    const after = state()
    console.log(`tensors ${before.tensors} -> ${after.tensors}, RSS ${(before.rss / MB).toFixed(0)} -> ${(after.rss / MB).toFixed(0)} MB`)
    expect(after.tensors).toBe(before.tensors)
    expect(after.bytes).toBe(before.bytes)
    expect(after.rss - before.rss).toBeLessThan(100 * MB)
    await engine.close()
  }, 240_000)
})
