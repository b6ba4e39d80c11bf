/**
 * Two Forwards over one cache: a prompt's tokens by the one, generated tokens by the other, always, a replay included.
 * That is what keeps tokens exact: which of the two made a position's K and V follows from the request, never from
 * chance. Knows the step port alone.
 * @module
 */
import type { Chunk, Forward } from './forward.ts'

/** Both must be of the same model; the result owns them. */
export function byPhase(prompts: Forward, generated: Forward): Forward {
  return {
    config: prompts.config,
    backend: `prefill:${prompts.backend},decode:${generated.backend}`,
    numerics: `prefill:${prompts.numerics},decode:${generated.numerics}`,
    // Blocks of generated tokens are another backend's than a later prompt's would be: they must not be reused for one.
    batchInvariant: false,
    replayInvariant: generated.batchInvariant,
    async run(chunks, pool) {
      const results = new Map<Chunk, Float32Array>()
      for (const [forward, own] of [
        [prompts, chunks.filter((chunk) => chunk.generated !== true)],
        [generated, chunks.filter((chunk) => chunk.generated === true)],
      ] as const) {
        const logits = own.length > 0 ? await forward.run(own, pool) : []
        own.forEach((chunk, i) => results.set(chunk, logits[i] as Float32Array))
      }
      return chunks.map((chunk) => results.get(chunk) as Float32Array)
    },
    memory() {
      // Both count all that tfjs holds in this thread.
      const [a, b] = [prompts.memory(), generated.memory()]
      return { bytes: Math.max(a.bytes, b.bytes), tensors: Math.max(a.tensors, b.tensors) }
    },
    dispose() {
      prompts.dispose()
      generated.dispose()
    },
  }
}
