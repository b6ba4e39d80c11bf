/**
 * One iteration of a simulated engine: all running decodes, then tiles of images and prefill chunks in order of arrival
 * up to a token budget; and what has changed when it ends. Knows neither where requests come from nor where they go.
 * @module
 */
import { encodeMs, iterationMs } from '../policy/profile.ts'
import type { EncodeJob, SimInstance, SimRequest } from './instance.ts'

/** Most decodes in one iteration. */
const MAX_BATCH = 256
/** Prefill tokens of an iteration without decodes. */
const ALONE_TOKENS = 8_192
/** What a tile takes of the budget: as many tokens as the language model is given for it. */
const TILE_TOKENS = 256

/** Composes the next iteration. Its length in ms, or undefined when there is nothing that could run. */
export function startIteration(instance: SimInstance): number | undefined {
  const { queue, entering, running, chunks, fresh, batching, truth } = instance
  const decodesWait = running.size + entering.size > 0
  let budget = batching === 'prefill-first' || !decodesWait ? ALONE_TOKENS : batching.chunkTokens
  const tiles = takeTiles(instance, Math.ceil(budget / TILE_TOKENS / (queue.size > 0 ? 2 : 1)))
  budget -= tiles * TILE_TOKENS
  let pairs = 0
  let tokens = 0
  for (let at = 0; budget > 0; at++) {
    const request = queue.at(at)
    if (request === undefined) break
    // A prompt without room blocks those behind it: first come, first served.
    if (request.holder !== instance) {
      if (request.here && instance.seated >= instance.maxSequences) break
      if (!instance.reserve(request, request.here ? request.input + request.output : request.input)) break
      if (request.here) instance.seated++
    }
    const chunk = Math.min(budget, request.input - request.done)
    pairs += chunk * (2 * request.done + chunk)
    tokens += chunk
    budget -= chunk
    chunks.push({ request, tokens: chunk })
  }
  const decodes = decodesWait && !(batching === 'prefill-first' && chunks.length + tiles > 0)
  if (decodes) {
    for (let next = entering.peek(); next && running.size < MAX_BATCH; next = entering.peek()) {
      entering.shift()
      next.at = instance.decodeSteps + next.output - 1
      running.push(next)
      instance.runningTokens += next.input + 1
      fresh.push(next)
    }
  }
  instance.batch = decodes ? running.size : 0
  if (instance.batch === 0 && chunks.length + tiles === 0) return undefined
  instance.iterating = true
  const visionMs = encodeMs(truth, tiles)
  // An iteration of tiles alone does not run the language model.
  if (instance.batch === 0 && chunks.length === 0) return visionMs * instance.slowness
  const modelMs = iterationMs(truth, tokens, pairs, decodes ? instance.runningTokens : 0, instance.batch)
  return (modelMs + visionMs) * instance.slowness
}

/** Takes up to so many tiles into the iteration, in order of arrival. How many it has got. */
function takeTiles({ jobs, encoding }: SimInstance, most: number): number {
  let taken = 0
  for (let at = 0; taken < most; at++) {
    const job = jobs.at(at)
    if (job === undefined) break
    const tiles = Math.min(job.left, most - taken)
    job.left -= tiles
    taken += tiles
    encoding.push({ job, tiles })
  }
  return taken
}

/** What an iteration has brought about. */
export interface IterationEnd {
  /** Images that are encoded. */
  encoded: EncodeJob[]
  /** Prompts whose first token exists now, in order. */
  prefilled: SimRequest[]
  /** Requests whose last token exists now. */
  decoded: SimRequest[]
}

/** Ends the running iteration at `nowMs`. */
export function endIteration(instance: SimInstance, nowMs: number): IterationEnd {
  const { chunks, encoding, jobs, fresh, running, batch } = instance
  const end: IterationEnd = { encoded: [], prefilled: [], decoded: [] }
  instance.iterating = false
  for (const { job, tiles } of encoding) {
    instance.encodeTiles -= tiles
    if (job.left > 0) continue
    jobs.shift()
    end.encoded.push(job)
  }
  encoding.length = 0
  for (const { request, tokens } of chunks) {
    instance.prefilled(request, tokens)
    if (request.done === request.input) end.prefilled.push(request)
  }
  chunks.length = 0
  if (batch === 0) return end
  instance.decodeSteps++
  instance.gapCount += batch - fresh.length
  instance.gapSumMs += (batch - fresh.length) * (nowMs - instance.lastTokensMs)
  for (const request of fresh) {
    instance.firstGapSumMs += nowMs - request.firstMs
    request.secondMs = nowMs
  }
  instance.firstGapCount += fresh.length
  fresh.length = 0
  instance.lastTokensMs = nowMs
  instance.runningTokens += batch
  instance.decodeTokens += batch
  for (let next = running.peek(); next && next.at <= instance.decodeSteps; next = running.peek()) {
    running.pop()
    instance.runningTokens -= next.input + next.output
    end.decoded.push(next)
  }
  return end
}
